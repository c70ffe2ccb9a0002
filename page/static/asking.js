// Requests to the server, some at a time.

const RETRIES = 20;

export class Refused extends Error {}

// One photograph's answer. Throws Refused with the server's own words.
export async function ask(path, file, options, signal) {
  for (let tries = 0; ; tries++) {
    let response;
    try {
      response = await fetch(path, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream", ...options }, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused("the file cannot be read, or the server does not answer");
    }
    const busy = [429, 503].includes(response.status) && tries < RETRIES; // its own queue, or the proxy before it
    if (busy) {
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") ?? 1)));
      continue;
    }
    const answer = await response.json().catch(() => ({ error: { message: `status ${response.status}` } }));
    if (!response.ok) throw new Refused(answer.error?.message ?? `status ${response.status}`);
    return answer;
  }
}

// Runs `work` on the entries, `sideBySide` at a time, until they are done or the signal says stop.
export async function runEach(entries, sideBySide, work, signal) {
  const waiting = [...entries];
  const lane = async () => {
    while (waiting.length && !signal.aborted) await work(waiting.shift());
  };
  await Promise.all(Array.from({ length: sideBySide }, lane));
  return waiting; // what was not begun
}
