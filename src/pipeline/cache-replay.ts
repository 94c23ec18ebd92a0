/** An answer as it is kept, from one stream to the next. */
import type { EnginePiece, Usage } from "../engine/engine.ts";
import { CACHE_ENTRY_BYTES_MAX, CACHE_PIECE_CHARS } from "../limits.ts";
import type { Outcome } from "../router/outcome.ts";
import type { CacheReport } from "./cache-types.ts";
import type { Tap } from "./tap.ts";
import type { AnswerStream, BrinkReport } from "./types.ts";

export interface KeptAnswer {
  model: string;
  route: AnswerStream["route"];
  difficulty: number | null;
  pieces: EnginePiece[];
  report: BrinkReport;
  /** As the engine counted; null where it did not say. */
  usage: Usage | null;
  /** What it left behind; of what gives it again the same is told. */
  outcome: Outcome;
}

/** Calls `keep` once the stream ended by itself with every choice finished, unless it is longer
 *  than what may be kept: never for one that failed or was left. */
export function recorded(
  { model, route, difficulty, report }: AnswerStream,
  keep: (answer: Omit<KeptAnswer, "outcome">) => void,
): Tap {
  const kept: EnginePiece[] = [];
  const open = new Set<number>();
  let chars = 0;
  let usage: Usage | null = null;
  let wanted = true;
  return {
    piece: (piece) => {
      const { index = 0, finish_reason } = piece;
      usage = piece.usage ?? usage;
      if (finish_reason == null) open.add(index);
      else {
        open.delete(index);
        wanted &&= /^(stop|length|tool_calls)$/.test(finish_reason);
      }
      const { text, logprobs, tool_calls, annotations } = piece;
      const more = logprobs ?? tool_calls ?? annotations;
      chars += more === undefined ? text.length : JSON.stringify(piece).length;
      if (chars <= CACHE_ENTRY_BYTES_MAX) join(kept, piece);
    },
    ended: (whole) => {
      const ended = whole && wanted && open.size === 0 && kept.length > 0;
      if (!ended || chars > CACHE_ENTRY_BYTES_MAX) return;
      keep({ model, route, difficulty, pieces: kept, report: report(), usage });
    },
  };
}

/** Adds a piece; bare text is joined to the text before it while that is short. */
function join(kept: EnginePiece[], piece: EnginePiece): void {
  const last = kept.at(-1);
  const fits = last !== undefined && (last.index ?? 0) === (piece.index ?? 0);
  if (fits && isBare(last) && isBare(piece) && last.text.length < CACHE_PIECE_CHARS)
    last.text += piece.text;
  else kept.push({ ...piece });
}

function isBare({ text: _, index: __, ...rest }: EnginePiece): boolean {
  return Object.values(rest).every((value) => value == null);
}

/** JSON in UTF-8; null where it has more than CACHE_ENTRY_BYTES_MAX. */
export function sealAnswer(answer: KeptAnswer): Uint8Array | null {
  const body = new TextEncoder().encode(JSON.stringify(answer));
  return body.byteLength <= CACHE_ENTRY_BYTES_MAX ? body : null;
}

export function openAnswer(body: Uint8Array): KeptAnswer {
  return JSON.parse(new TextDecoder().decode(body)) as KeptAnswer;
}

/** The answer once more, all of it at hand. What the first one's way was like, as its times and
 *  attempts, is not told again; `timings_ms` are this one's. */
export function replay(
  answer: KeptAnswer,
  cache: CacheReport,
  timings_ms: Record<string, number>,
): AnswerStream {
  const { model, route, difficulty, pieces } = answer;
  const { attempts: _, switched: __, switch_cost: ___, reason, ...report } = answer.report;
  const again = cache.status === "hit" ? "the same was asked" : `${cache.how} as a question`;
  const since = new Date(cache.answered_at).toISOString();
  const told = { ...report, reason: `${again} and answered at ${since}: ${reason}`, cache };
  async function* all() {
    yield* pieces;
  }
  const status = cache.status;
  return {
    ...{ model, route, difficulty, cache: status, pieces: all() },
    report: () => ({ ...told, timings_ms }),
  };
}
