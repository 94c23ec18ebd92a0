/** Cuts of a text, in UTF-16 units, that part no surrogate pair: half of one is no character, and
 *  neither storage nor a reply, which are UTF-8, can hold it. */

/** The offset, moved back by one where it would part a surrogate pair. */
export function wholeCharacter(text: string, at: number): number {
  return /[\ud800-\udbff]/.test(text[at - 1] ?? "") && /[\udc00-\udfff]/.test(text[at] ?? "")
    ? at - 1
    : at;
}

/** The text's beginning: `charsMax` UTF-16 units, or one fewer, and all of a shorter text. */
export function cutText(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : text.slice(0, wholeCharacter(text, charsMax));
}
