/** What a conversation asks. */
import type { ChatMessage } from "../engine/engine.ts";

/** The text of the last user message; empty when it has none. */
export function questionOf(messages: readonly ChatMessage[]): string {
  const content = messages.findLast(({ role }) => role === "user")?.content ?? "";
  if (typeof content === "string") return content.trim();
  const texts = content.map((part) => (part.type === "text" ? String(part.text) : ""));
  return texts.join("\n").trim();
}
