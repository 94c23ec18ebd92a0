/** Puts streamed tool calls together for a whole reply. */

interface ToolCall {
  id?: string;
  type?: string;
  function?: { name?: string; arguments?: string };
  [key: string]: unknown;
}

/** OpenAI's deltas, by their `index`, as complete calls in index order: a function's name and
 *  arguments are appended, other fields are taken from the first delta that has them. */
export function joinToolCalls(deltas: readonly unknown[]): ToolCall[] {
  const calls = new Map<number, ToolCall>();
  for (const delta of deltas) {
    if (typeof delta !== "object" || delta === null) continue;
    const { index, function: part, ...rest } = delta as ToolCall & { index?: number };
    const at = typeof index === "number" ? index : calls.size;
    const call = calls.get(at) ?? {};
    const name = (call.function?.name ?? "") + (part?.name ?? "");
    const args = (call.function?.arguments ?? "") + (part?.arguments ?? "");
    const joined = part || call.function ? { function: { name, arguments: args } } : {};
    calls.set(at, { ...rest, ...call, ...joined });
  }
  return Array.from(calls.entries())
    .sort(([a], [b]) => a - b)
    .map(([, call]) => call);
}
