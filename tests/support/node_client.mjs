// A program of somebody else, on Node alone: fetch (undici) and http.Agent. Takes a base URL and the name of a case;
// prints what it got as JSON. `tests/integration/test_other_programs.py` runs it straight to the provider and through the relay.
import { createHash } from "node:crypto";
import http from "node:http";

const [base, wanted] = process.argv.slice(2);
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
const script = (fields) => `<<script ${JSON.stringify(fields)}>>`;
const asked = (content, more = {}) => JSON.stringify({ model: "gpt-x", messages: [{ role: "user", content }], ...more });
const ofOneConnection = /^(connection|keep-alive|date)$/i;

const post = (body, more = {}) => fetch(`${base}/v1/chat/completions`, { method: "POST", body, ...more });

const told = async (answer) => [
  answer.status,
  answer.statusText,
  [...answer.headers].filter(([name]) => !ofOneConnection.test(name)),
  await answer.text(),
];

/** One request with `http`: status, reason, raw headers in order and case, digest of the body, trailers, 1xx heads. */
const byHttp = (path, options, write) =>
  new Promise((done, failed) => {
    const between = [];
    const request = http.request(base + path, options, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => {
        const headers = answer.rawHeaders.filter((_, at, all) => !ofOneConnection.test(all[at & ~1]));
        done([answer.statusCode, answer.statusMessage, headers, digest(Buffer.concat(pieces)), answer.rawTrailers, between]);
      });
      answer.on("error", failed);
    });
    request.on("information", (head) => between.push(head.statusCode));
    request.on("error", failed);
    write(request);
  });

const cases = {
  whole: async () => told(await post(asked("hi"))),
  stream: async () => told(await post(asked(script({ chunks: 9, gap_ms: 2, encoding: "br" }), { stream: true }))),
  async parallel() {
    const one = async (number) => digest(await (await post(asked("hi", { stream: number % 2 === 0, user: `${number}` }))).text());
    return Promise.all([...Array(40).keys()].map(one));
  },
  async inARow() {
    const got = [];
    for (let number = 0; number < 60; number += 1)
      got.push(digest(await (await post(asked(number % 7 ? "hi" : script({ close: true }), { user: `${number}` }))).text()));
    return got;
  },
  async upload() {
    let left = 80;
    const body = new ReadableStream({
      pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(65536).fill(left)) : controller.close()),
    });
    const answer = await fetch(`${base}/v1/files`, { method: "POST", duplex: "half", body });
    return [answer.status, digest(await answer.text())];
  },
  async abortInStream() {
    const stop = new AbortController();
    const reader = (await post(asked(script({ stall_at: 2 }), { stream: true }), { signal: stop.signal })).body.getReader();
    await reader.read();
    stop.abort();
    return reader.read().then(
      () => "went on",
      (error) => error.name,
    );
  },
  async abortBeforeHead() {
    const request = post(asked(script({ stall_at: -1 })), { signal: AbortSignal.timeout(2000) });
    return request.then(
      () => "answered",
      (error) => error.name,
    );
  },
  async cut() {
    const answer = await post(asked(script({ cut_pieces: 3 }), { stream: true }));
    return answer.text().then(
      () => "whole",
      (error) => [error.name, error.message],
    );
  },
  async redirect() {
    const answer = await post(asked(script({ status: 307, headers: [["Location", "/v1/models"]] })), { redirect: "manual" });
    return [answer.status, answer.headers.get("location")];
  },
  async agent() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 3 });
    const one = (number) =>
      byHttp("/v1/embeddings", { agent, method: "POST", headers: { "x-twice": ["1", "2"], "X-CaSe": "y" } }, (request) => {
        request.write('{"model":"e",');
        request.end(`"input":"${number}"}`);
      });
    const got = await Promise.all([...Array(12).keys()].map(one));
    agent.destroy();
    return got;
  },
  continues: () =>
    byHttp("/v1/embeddings", { method: "POST", headers: { Expect: "100-continue" } }, (request) => {
      request.on("continue", () => request.end('{"model":"e","input":"x"}'));
      request.flushHeaders();
    }),
  informational: () =>
    byHttp("/v1/embeddings", { method: "POST", headers: { "x-script": '{"informational": [103, 102]}' } }, (request) =>
      request.end('{"model":"e","input":"x"}'),
    ),
  trailers: () =>
    byHttp("/v1/chat/completions", { method: "POST", headers: { Trailer: "X-Sum", "Transfer-Encoding": "chunked" } }, (request) => {
      request.write(asked(script({ trailers: [["X-Down", "1"]] }), { stream: true }));
      request.addTrailers({ "X-Sum": "9" });
      request.end();
    }),
};

console.log(JSON.stringify((await cases[wanted]()) ?? null));
process.exit(0);
