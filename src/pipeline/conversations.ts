/** Which conversation a request goes on, and where that is remembered between isolates. */
import type { ChatMessage } from "../engine/engine.ts";
import { PROMPT_CACHE_MS_MAX, PROMPT_CACHE_TOKENS_MIN } from "../limits.ts";
import { type Conversations, RecentConversations, type Standing } from "../router/conversation.ts";
import { sha256Hex } from "./digest.ts";
import type { AnswerRequest } from "./types.ts";

/** Keys of what is remembered, of one tenant's conversation each. */
export interface ConversationKeys {
  /** Of the turn before; null where there is none. */
  before: string | null;
  /** Of this turn, under which the next one looks. */
  now: string;
}

/** By the header's name where there is one: one key for all turns. Without it by what the caller
 *  sent, up to the last user message and up to the one before it: a conversation that goes on sends
 *  again what it sent, and one that was edited finds no prompt in a backend's cache either. */
export function conversationKeys({
  caller,
  conversation,
  messages,
}: Pick<AnswerRequest, "caller" | "conversation" | "messages">): ConversationKeys {
  const { tenant } = caller;
  if (conversation != null) {
    const key = sha256Hex(JSON.stringify([tenant, "named", conversation]));
    return { before: key, now: key };
  }
  const last = messages.findLastIndex(({ role }) => role === "user");
  const earlier = messages.slice(0, last).findLastIndex(({ role }) => role === "user");
  const keyUpTo = (end: number) => {
    const sent = messages.slice(0, end + 1).map(({ role, content }) => [role, content]);
    return sha256Hex(JSON.stringify([tenant, "sent", sent]));
  };
  return { before: earlier < 0 ? null : keyUpTo(earlier), now: keyUpTo(last) };
}

/** Characters of a message's text; what is not text counts nothing. */
export function textChars({ content }: ChatMessage): number {
  if (content === null) return 0;
  if (typeof content === "string") return content.length;
  return content.reduce((sum, { text }) => sum + (typeof text === "string" ? text.length : 0), 0);
}

/** Of this isolate. */
const recent = new RecentConversations();

/** This isolate's memory, and behind it, for prompts that are long enough for a backend to cache
 *  them, the cache of its data centre, which other isolates share and which forgets by itself.
 *  Where that cache is not to be had, the isolate's memory is all. */
export class SharedConversations implements Conversations {
  readonly #keepAlive: (work: Promise<unknown>) => void;

  constructor(keepAlive: (work: Promise<unknown>) => void) {
    this.#keepAlive = keepAlive;
  }

  async find(key: string): Promise<Standing | null> {
    const near = recent.find(key);
    const fresh = near?.held != null && Date.now() - near.held.at <= PROMPT_CACHE_MS_MAX;
    if (fresh) return near;
    const shared = await this.#read(key);
    return shared ?? near;
  }

  hold(key: string, standing: Standing): void {
    recent.hold(key, standing);
    const tokens = standing.held?.tokens ?? 0;
    if (tokens >= PROMPT_CACHE_TOKENS_MIN) this.#keepAlive(this.#write(key, standing));
  }

  async #read(key: string): Promise<Standing | null> {
    try {
      const cache = await caches.open(CACHE);
      const found = await cache.match(urlOf(key));
      return found === undefined ? null : ((await found.json()) as Standing);
    } catch {
      return null;
    }
  }

  async #write(key: string, standing: Standing): Promise<void> {
    const seconds = Math.ceil(PROMPT_CACHE_MS_MAX / 1000);
    const headers = { "cache-control": `max-age=${seconds}`, "content-type": "application/json" };
    try {
      const cache = await caches.open(CACHE);
      await cache.put(urlOf(key), new Response(JSON.stringify(standing), { headers }));
    } catch {
      // Forgetting is harmless.
    }
  }
}

const CACHE = "brink-conversations";

/** The cache is keyed by URL; nothing is ever fetched from this one. */
function urlOf(key: string): string {
  return `https://conversations.invalid/${key}`;
}
