// Requests of the review page.
import { request } from "./server_requests.js";

export class Conflict extends Error {}

async function read(response) {
  const answer = await response.json().catch(() => ({ error: { message: `status ${response.status}` } }));
  if (response.ok) return answer;
  throw new (response.status === 409 ? Conflict : Error)(answer.error.message);
}

export const get = async (path, parameters) => read(await request(`${path}?${new URLSearchParams(parameters)}`));

export const post = async (path, content) =>
  read(await request(path, { method: "POST", body: JSON.stringify(content), headers: { "Content-Type": "application/json" } }));
