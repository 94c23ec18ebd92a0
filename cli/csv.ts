/** CSV as RFC 4180 has it, read as it comes: quoted fields with doubled quotes and line ends in
 *  them, and what spreadsheets make of it: any line end, a byte order mark, semicolons or tabs for
 *  commas. Written here and not taken from a library because a record must be bounded before it is
 *  whole, and a faulty one told with its line while those after it are still read. */

export interface CsvRecord {
  /** The line that it begins on, from 1. */
  line: number;
  fields: string[];
  /** Why it cannot be used; null: nothing is wrong with it. */
  fault: string | null;
}

type State = "start" | "plain" | "quoted" | "quote" | "skip";

const DELIMITERS = ",;\t";

/** The records that are not blank. The first of `,`, `;` and tab that stands outside of quotes in
 *  the first record parts all fields. A record of more than `charsMax` characters is a fault, not
 *  kept, and the next one begins after the next line end, even where a quote was left open. */
export async function* readCsv(
  chunks: AsyncIterable<string>,
  charsMax: number,
): AsyncGenerator<CsvRecord> {
  const parser = new CsvParser(charsMax);
  for await (const chunk of chunks) yield* parser.push(chunk);
  yield* parser.end();
}

class CsvParser {
  readonly #charsMax: number;
  #delimiter: string | null = null;
  #state: State = "start";
  #line = 1;
  #record: CsvRecord = { line: 1, fields: [], fault: null };
  #field = "";
  #chars = 0;
  #afterReturn = false;
  #first = true;

  constructor(charsMax: number) {
    this.#charsMax = charsMax;
  }

  *push(chunk: string): Generator<CsvRecord> {
    for (let i = 0; i < chunk.length; i++) {
      const char = chunk[i]!;
      const first = this.#first;
      this.#first = false;
      if (first && char === "\ufeff") continue;
      const endsReturn = this.#afterReturn && char === "\n"; // CRLF is one line end
      this.#afterReturn = char === "\r";
      if ((char === "\n" && !endsReturn) || char === "\r") this.#line++;
      if (this.#state === "quoted") this.#keep(char);
      else if (endsReturn) continue;
      else if (char === "\n" || char === "\r") yield* this.#endRecord();
      else this.#take(char);
    }
  }

  *end(): Generator<CsvRecord> {
    if (this.#state === "quoted") this.#record.fault = "a quoted field has no end";
    yield* this.#endRecord();
  }

  /** A character within a quoted field. */
  #keep(char: string): void {
    if (!this.#count()) return;
    if (char === '"') this.#state = "quote";
    else this.#field += char;
  }

  /** A character outside of quotes that ends no line. */
  #take(char: string): void {
    if (this.#state === "skip" || !this.#count()) return;
    const state = this.#state;
    if (this.#delimiter === null && DELIMITERS.includes(char)) this.#delimiter = char;
    if (char === this.#delimiter) this.#endField();
    else if (state === "start" && char === '"') this.#state = "quoted";
    else if (state === "quote" && char === '"') {
      this.#field += char;
      this.#state = "quoted";
    } else {
      if (state === "quote")
        this.#record.fault = "text follows a closing quote: quotes within a field are doubled";
      this.#field += char;
      this.#state = "plain";
    }
  }

  /** Whether the record may still grow. */
  #count(): boolean {
    if (++this.#chars <= this.#charsMax) return true;
    this.#record.fault = `it has more than ${this.#charsMax} characters: is a quote left open?`;
    this.#record.fields = [];
    this.#field = "";
    this.#state = "skip";
    return false;
  }

  #endField(): void {
    this.#record.fields.push(this.#field);
    this.#field = "";
    this.#state = "start";
  }

  *#endRecord(): Generator<CsvRecord> {
    const blank = this.#state === "start" && this.#record.fields.length === 0;
    if (this.#state !== "skip") this.#endField();
    if (!blank) {
      this.#delimiter ??= ",";
      yield this.#record;
    }
    this.#record = { line: this.#line, fields: [], fault: null };
    this.#chars = 0;
    this.#field = "";
    this.#state = "start";
  }
}
