// What the SDK tests in Node.js share: checks that run side by side, the requests that each one sent, and the usage rows they left.
// Environment: BASE_URL (with /v1), TALLY_URL (the demo provider), ADMIN_CNF (option file for the SQL prompt).
import { AsyncLocalStorage } from "node:async_hooks";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export const BASE = process.env.BASE_URL;
export const ROOT = BASE.replace(/\/v1$/, "");
export const KEY = "sk-aip-sdk-rich";
export const FORMATS = ["openai-chat", "openai-responses", "anthropic", "gemini"];
export const ANSWER = "Hello from the demo provider";
const AT_ONCE = 6;
const CHECK_SECONDS = 60;
const ROW_TRIES = 100;
const run = promisify(execFile);
const current = new AsyncLocalStorage();
const queue = [];
let suite = "";

// Every SDK ends here; in the check that runs, its requests are counted and their ids kept.
const fetch_ = globalThis.fetch;
globalThis.fetch = async (url, init) => {
  const now = current.getStore();
  if (now) now.sent++;
  const response = await fetch_(url, init);
  if (now) now.ids.push(response.headers.get("x-request-id") ?? response.headers.get("request-id"));
  return response;
};

// sent, lastId - of the check that runs: its requests, retries included, and the id of the last that was answered.
export const sent = () => current.getStore().sent;
export const lastId = () => current.getStore().ids.at(-1);
export const reset = () => (current.getStore().sent = 0);

export function must(condition, text) {
  if (!condition) throw new Error(text);
}

export function equal(got, wanted, what) {
  must(JSON.stringify(got) === JSON.stringify(wanted), `${what}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
}

export function has(text, part, what) {
  must(String(text).includes(part), `${what}: no ${JSON.stringify(part)} in ${JSON.stringify(text)?.slice(0, 600)}`);
}

// check - runs later, beside others.
export function check(name, test) {
  queue.push({ name, test });
}

async function runOne({ name, test }) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${CHECK_SECONDS} s`)), CHECK_SECONDS * 1000);
  });
  try {
    await current.run({ sent: 0, ids: [] }, () => Promise.race([test(), late]));
    console.log(`PASS ${suite}: ${name}`);
    return true;
  } catch (error) {
    console.log(`FAIL ${suite}: ${name}: ${error?.constructor?.name}: ${String(error?.message).slice(0, 900)}`);
    if (process.env.DEBUG) console.log(error);
    return false;
  } finally {
    clearTimeout(timer);
  }
}

// done - runs all checks and ends the program. The last line is 'N passed, N failed'. ONLY: a part of the names wanted.
export async function done(name) {
  suite = name;
  const wanted = queue.filter((c) => c.name.includes(process.env.ONLY ?? ""));
  let next = 0;
  let passed = 0;
  const work = async () => {
    while (next < wanted.length) if (await runOne(wanted[next++])) passed++;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  console.log(`${passed} passed, ${wanted.length - passed} failed`);
  process.exit(passed === wanted.length ? 0 : 1);
}

// fails - the error that the call ends with: of that class, after `tries` requests.
export async function fails(call, type, tries = 1) {
  let error;
  reset();
  try {
    await call();
  } catch (caught) {
    error = caught;
  }
  must(error !== undefined, "no error");
  must(error instanceof type, `wanted ${type.name}, got ${error.constructor.name}: ${error.message}`);
  equal(sent(), tries, "requests sent");
  return error;
}

// row - columns of a request's usage row, once it is there.
export async function row(id, columns) {
  must(/^[0-9A-HJKMNP-TV-Z]{26}$/.test(id), `no request id: ${id}`);
  for (let tries = 0; tries < ROW_TRIES; tries++) {
    const sql = `SELECT CONCAT_WS(' ', ${columns}) FROM usage_log WHERE request_id = '${id}'`;
    const { stdout } = await run("mariadb", [`--defaults-file=${process.env.ADMIN_CNF}`, "--batch", "--skip-column-names", "-e", sql]);
    if (stdout !== "") return stdout.trim();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`request ${id} has no usage row`);
}
