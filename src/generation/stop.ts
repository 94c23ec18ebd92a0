/** Bytes of tokens to text that can be shown: whole characters, and nothing of a stop string. */

/** What could be the beginning of a stop string, or of a character, is held back until it cannot.
 *  Bytes that are not UTF-8 are U+FFFD; a character that the end of the answer cuts is left out. */
export class StopText {
  /** Whether a stop string has come: what follows is dropped. */
  stopped = false;
  /** UTF-16 units of text that were let go. */
  shown = 0;
  private readonly stops: readonly string[];
  private readonly utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  private held = "";

  constructor(stops: readonly string[]) {
    this.stops = stops.filter((stop) => stop !== "");
  }

  /** UTF-16 units of text so far, held back or not. */
  get length(): number {
    return this.shown + this.held.length;
  }

  /** Takes a token's bytes and gives the text that can be shown now. */
  push(bytes: Uint8Array): string {
    if (this.stopped) return "";
    this.held += this.utf8.decode(bytes, { stream: true });
    const end = this.findStop();
    if (end >= 0) {
      this.stopped = true;
      return this.release(end);
    }
    return this.release(this.held.length - this.possibleStop());
  }

  /** The rest of the text, at the end of the answer. */
  flush(): string {
    return this.stopped ? "" : this.release(this.held.length);
  }

  private release(units: number): string {
    const text = this.held.slice(0, units);
    this.held = this.stopped ? "" : this.held.slice(units);
    this.shown += units;
    return text;
  }

  /** Where the first stop string begins, or -1. */
  private findStop(): number {
    const found = this.stops.map((stop) => this.held.indexOf(stop)).filter((at) => at >= 0);
    return found.length > 0 ? Math.min(...found) : -1;
  }

  /** How many units at the end may be the beginning of a stop string. */
  private possibleStop(): number {
    const longest = Math.max(0, ...this.stops.map((stop) => stop.length - 1));
    for (let units = Math.min(longest, this.held.length); units > 0; units--) {
      const end = this.held.slice(-units);
      if (this.stops.some((stop) => stop.startsWith(end))) return units;
    }
    return 0;
  }
}
