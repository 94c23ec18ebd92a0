/** Who sees an answer's pieces go by. */
import type { EnginePiece } from "../engine/engine.ts";

export interface Tap {
  piece(piece: EnginePiece): void;
  /** Called once; `whole` where the pieces ended by themselves, neither failed nor left. */
  ended(whole: boolean): void;
}

/** The same pieces, of which each tap hears in its turn. Taps must not throw. No generator: one for
 *  each tap would cost every token three promises. */
export function tapped(
  pieces: AsyncIterable<EnginePiece>,
  taps: readonly Tap[],
): AsyncIterable<EnginePiece> {
  const source = pieces[Symbol.asyncIterator]();
  let over = false;
  const end = (whole: boolean) => {
    if (over) return;
    over = true;
    for (const tap of taps) tap.ended(whole);
  };
  const take = (result: IteratorResult<EnginePiece>) => {
    if (result.done) end(true);
    else for (const tap of taps) tap.piece(result.value);
    return result;
  };
  const fail = (error: unknown) => {
    end(false);
    throw error;
  };
  const iterator: AsyncIterator<EnginePiece> = {
    next: () => source.next().then(take, fail),
    return: async (value) => {
      await source.return?.(value);
      end(false);
      return { done: true, value };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
