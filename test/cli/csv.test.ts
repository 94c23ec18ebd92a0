import fc from "fast-check";
import { expect, it } from "vitest";
import { type CsvRecord, readCsv } from "../../cli/csv.ts";

const CHARS_MAX = 10_000;

/** The records of a text that arrives in pieces of `size` characters. */
async function parse(text: string, size = text.length || 1): Promise<CsvRecord[]> {
  async function* pieces() {
    for (let i = 0; i < text.length; i += size) yield text.slice(i, i + size);
  }
  const records: CsvRecord[] = [];
  for await (const record of readCsv(pieces(), CHARS_MAX)) records.push(record);
  return records;
}
const fieldsOf = async (text: string) => (await parse(text)).map(({ fields }) => fields);

it("what was written is read again, wherever the pieces are cut", async () => {
  const field = fc.string({ unit: fc.constantFrom(..."ab,;\t\"'\r\n é\ufeff中") });
  const rows = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { minLength: 1 });
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(
      rows,
      fc.constantFrom("\n", "\r\n", "\r"),
      fc.constantFrom(",", ";", "\t"),
      fc.integer({ min: 1, max: 5 }),
      async (records, end, delimiter, size) => {
        const text = records.map((row) => row.map(quote).join(delimiter) + end).join("");
        const read = await parse(text, size);
        expect(read.map(({ fields }) => fields)).toEqual(records);
        expect(read.every(({ fault }) => fault === null)).toBe(true);
      },
    ),
    { seed: 4 },
  );
});

it("line ends of every kind, a byte order mark and blank lines are no fields", async () => {
  const rows = [
    ["a", "b"],
    ["1", ""],
    ["", "2"],
  ];
  for (const end of ["\n", "\r\n", "\r"]) {
    expect(await fieldsOf(`\ufeffa,b${end}1,${end}${end},2`)).toEqual(rows);
    expect(await fieldsOf(`\ufeffa,b${end}1,${end},2${end}${end}`)).toEqual(rows);
  }
  expect(await fieldsOf("")).toEqual([]);
  expect(await fieldsOf("\ufeff")).toEqual([]);
  expect(await fieldsOf('""')).toEqual([[""]]);
});

it("quotes hold delimiters, line ends and quotes; in a plain field they are text", async () => {
  expect(await fieldsOf('a,"b,\r\n""c""",d\n5" disk,x"y,\n')).toEqual([
    ["a", 'b,\r\n"c"', "d"],
    ['5" disk', 'x"y', ""],
  ]);
});

it("a record is told with the line it begins on, whatever lines stood within quotes", async () => {
  const read = await parse('a,b\r\n"1\r\n2\n3",x\r\n\r\n4,"5"6\r\n7,8\r\n9,"0');
  expect(read.map(({ line }) => line)).toEqual([1, 2, 6, 7, 8]);
  expect(read.map(({ fault }) => fault)).toEqual([
    null,
    null,
    expect.stringMatching(/follows a closing quote/),
    null,
    "a quoted field has no end",
  ]);
});

it("a record of a million characters is not kept, and those after it are read", async () => {
  const long = "x".repeat(1_000_000);
  for (const text of [`a,b\n${long},1\n2,3\n`, `a,b\n1,"${long}\n2,3\n`]) {
    const read = await parse(text, 4_096);
    expect(read).toEqual([
      { line: 1, fields: ["a", "b"], fault: null },
      { line: 2, fields: [], fault: "it has more than 10000 characters: is a quote left open?" },
      { line: 3, fields: ["2", "3"], fault: null },
    ]);
  }
});
