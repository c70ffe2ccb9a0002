// Requests to the server, with limited concurrency.

const RETRIES = 20;

export class Refused extends Error {}

// `fetch`, which throws Refused with this reason if there is no response.
export async function request(path, options, reason = "the server does not answer; try again") {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(reason);
  }
}

// The answer for one photograph, or for a form of several. Throws Refused with the server's message.
export async function ask(path, body, options, signal) {
  const type = body instanceof FormData ? {} : { "Content-Type": "application/octet-stream" }; // for forms the browser sets it

  for (let tries = 0; ; tries++) {
    const response = await request(path, { method: "POST", body, headers: { ...type, ...options }, signal }, "the file cannot be read, or the server does not answer");
    const busy = [429, 503].includes(response.status) && tries < RETRIES; // the server's queue is full, or a proxy's
    if (busy) {
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") ?? 1)));
      continue;
    }
    const answer = await response.json().catch((error) => {
      if (signal?.aborted) throw error; // cancelled while the response was read
      return { error: { message: `status ${response.status}` } };
    });
    if (!response.ok || answer.error) throw new Refused(answer.error?.message ?? `status ${response.status}`);
    return answer;
  }
}

// A queue whose entries are processed `sideBySide` at a time; more may be added while it runs.
export class WorkQueue {
  #waiting = [];
  #lanes = 0;
  #stop = new AbortController();

  constructor(sideBySide, work, whenIdle) {
    Object.assign(this, { sideBySide, work, whenIdle }); // work is called with an entry and an AbortSignal
  }

  get isIdle() {
    return this.#lanes === 0;
  }

  add(entries) {
    this.#waiting.push(...entries);
    while (this.#lanes < this.sideBySide && this.#waiting.length) this.#lane(); // a lane takes its first entry synchronously
  }

  // Aborts running entries and returns those not started.
  cancel() {
    const left = this.#waiting.splice(0);
    this.#stop.abort();
    this.#stop = new AbortController();
    return left;
  }

  async #lane() {
    this.#lanes++;
    while (this.#waiting.length) await this.work(this.#waiting.shift(), this.#stop.signal);
    this.#lanes--;
    if (this.isIdle) this.whenIdle();
  }
}
