/** Three OpenAI servers as backends a, b and c, new for each test of a file. */
import { afterEach, beforeEach } from "vitest";
import type { BackendConfig } from "../../src/env.ts";
import { memberAt } from "./backends.ts";
import { type OpenAiServer, startOpenAiServer } from "./openai-server.ts";

type Three = [a: OpenAiServer, b: OpenAiServer, c: OpenAiServer];

/** `hand` gets the servers before each test. */
export function withThreeServers(hand: (servers: Three) => void) {
  let servers: Three;
  beforeEach(async () => {
    const start = startOpenAiServer;
    servers = await Promise.all([start(), start(), start()]);
    hand(servers);
  });
  afterEach(() => Promise.all(servers.map((server) => server.close())));
  return {
    /** Asked in that order. */
    inOrder: (rest: Partial<BackendConfig> = {}) =>
      servers.map(({ url }, order) => memberAt(url, "abc"[order]!, { order, ...rest })),
    /** How often each was asked. */
    counts: () => servers.map(({ requests }) => requests.length),
  };
}

export const event = (content: string) =>
  `data: {"choices":[{"delta":{"content":"${content}"}}]}\n\n`;
export const fails = (status: number, headers: Record<string, string> = {}) => {
  return { status, headers, body: "{}" };
};
