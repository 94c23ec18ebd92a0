/** Reads server-sent events as the HTML standard describes them, from bytes cut anywhere. */

/** Turns bytes into the `data` of each complete event. Lines end in LF, CRLF or CR; comments and
 *  other fields are skipped; several data lines are joined by LF; a leading BOM is dropped. Holds
 *  one event at most; the caller bounds the bytes. */
export class SseReader {
  readonly #decoder = new TextDecoder("utf-8");
  #line = "";
  #data: string[] = [];
  #afterCr = false;

  /** The data of the events that these bytes complete, in order. */
  push(bytes: Uint8Array): string[] {
    return this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The data of an event that the end of the stream completes. The standard drops it; servers
   *  that end without the last blank line are common enough to be read. */
  end(): string[] {
    return this.#take(`${this.#decoder.decode()}\n\n`);
  }

  #take(text: string): string[] {
    const events: string[] = [];
    let rest = text;
    if (this.#afterCr && rest.startsWith("\n")) rest = rest.slice(1);
    if (text !== "") this.#afterCr = text.endsWith("\r");
    const lines = rest.split(/\r\n|\r|\n/);
    const open = lines.pop()!;
    for (const line of lines) {
      const event = this.#endLine(this.#line + line);
      this.#line = "";
      if (event !== null) events.push(event);
    }
    this.#line += open;
    return events;
  }

  #endLine(line: string): string | null {
    if (line === "") {
      const event = this.#data.length === 0 ? null : this.#data.join("\n");
      this.#data = [];
      return event;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1);
    if (field === "data") this.#data.push(value.startsWith(" ") ? value.slice(1) : value);
    return null;
  }
}
