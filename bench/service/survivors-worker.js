/** What the runtime leaves behind for each thing that an answer does: TIMES of it a request, by the
 *  request's path. */
import { DurableObject } from "cloudflare:workers";

const TIMES = 10;
const BYTES = new TextEncoder().encode("data: word\n\n");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Some ten kilobytes that a closure may hold. */
const payload = () => Array.from({ length: 200 }, (_, i) => ({ i, half: i / 2 }));

const CASES = {
  nothing: () => new Response("x"),
  async timers() {
    for (let i = 0; i < TIMES; i++) await pause(1);
    return new Response("x");
  },
  async "whole body read"(_, { BACKEND_URL }) {
    await (await fetch(BACKEND_URL)).text();
    return new Response("x");
  },
  async "reads of a body"(_, { BACKEND_URL }) {
    const reader = (await fetch(BACKEND_URL)).body.getReader();
    while (!(await reader.read()).done);
    return new Response("x");
  },
  "writes of a stream"() {
    let written = 0;
    const pull = async (controller) => {
      await pause(1);
      if (written++ < TIMES) controller.enqueue(BYTES);
      else controller.close();
    };
    return new Response(new ReadableStream({ pull }));
  },
  "writes of an identity stream"() {
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    const write = async () => {
      for (let i = 0; i < TIMES; i++) {
        await pause(1);
        await writer.write(BYTES);
      }
      await writer.close();
    };
    write();
    return new Response(readable);
  },
  async "calls of an object"(_, { OBJECT }) {
    for (let i = 0; i < TIMES; i++) await OBJECT.getByName("one").one();
    return new Response("x");
  },
  "listener that stays"({ signal }) {
    const held = payload();
    signal.addEventListener("abort", () => held.length);
    return new Response("x");
  },
  async "listener taken off"({ signal }) {
    const held = payload();
    const listener = () => held.length;
    signal.addEventListener("abort", listener);
    await pause(1);
    signal.removeEventListener("abort", listener);
    return new Response("x");
  },
};

export class Called extends DurableObject {
  one() {
    return 1;
  }
}

export default {
  fetch(request, env) {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
    if (name === "") return Response.json(Object.keys(CASES));
    return CASES[name](request, env);
  },
};
