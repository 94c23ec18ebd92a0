import { describe, expect, it } from "vitest";
import { PairTokenizer } from "../../src/onnx/tokenizer-json.ts";
import { PIECES, tokenizerJson } from "./tiny-models.ts";

const ids = (...pieces: string[]) => pieces.map((piece) => PIECES.indexOf(piece));

// biome-ignore lint/suspicious/noExplicitAny: the tests break the file in many places
function changed(change: (json: any) => void): string {
  const json = JSON.parse(tokenizerJson());
  change(json);
  return JSON.stringify(json);
}

describe("a tokenizer.json", () => {
  const tokenizer = PairTokenizer.parse(tokenizerJson());

  it("gives one text its markers", () => {
    expect(tokenizer.encode("The LEASE ends?", 64)).toEqual({
      ids: ids("[CLS]", "the", "lease", "ends", "?", "[SEP]"),
      types: [0, 0, 0, 0, 0, 0],
    });
    expect(tokenizer.encode("ferrys €", 64).ids).toEqual(
      ids("[CLS]", "ferry", "##s", "[UNK]", "[SEP]"),
    );
  });

  it("gives a pair its markers and types", () => {
    expect(tokenizer.encodePair("when", "on may", 64)).toEqual({
      ids: ids("[CLS]", "when", "[SEP]", "on", "may", "[SEP]"),
      types: [0, 0, 0, 1, 1, 1],
    });
  });

  it("does not let a text forge a marker", () => {
    const { ids: forged } = tokenizer.encode("[SEP]", 64);
    expect(forged.filter((id) => id === PIECES.indexOf("[SEP]"))).toHaveLength(1);
  });

  it("cuts the longer of a pair, and both where both are long", () => {
    const long = "may ".repeat(40);
    const lengths = (first: string, second: string) => {
      const { ids, types } = tokenizer.encodePair(first, second, 13);
      expect(ids).toHaveLength(13);
      return [types.indexOf(1) - 2, ids.length - types.indexOf(1) - 1];
    };
    expect(lengths("when does", long)).toEqual([2, 8]);
    expect(lengths(long, "on may")).toEqual([8, 2]);
    expect(lengths(long, long)).toEqual([5, 5]);
    expect(tokenizer.encode(long, 13).ids).toHaveLength(13);
  });

  it("lays out a pair as BertProcessing and RobertaProcessing do", () => {
    const [cls, sep] = [2, 3];
    const layout = (type: string) =>
      PairTokenizer.parse(
        changed((json) => {
          json.post_processor = { type, cls: ["[CLS]", cls], sep: ["[SEP]", sep] };
        }),
      ).encodePair("when", "may", 64);
    const [when, may] = ids("when", "may");
    expect(layout("BertProcessing")).toEqual({
      ids: [cls, when, sep, may, sep],
      types: [0, 0, 0, 1, 1],
    });
    expect(layout("RobertaProcessing")).toEqual({
      ids: [cls, when, sep, sep, may, sep],
      types: [0, 0, 0, 0, 0, 0],
    });
  });

  it("of another kind is refused by its type or setting", () => {
    const refusal = (text: string) => {
      try {
        PairTokenizer.parse(text);
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_model_file" });
        return (error as Error).message;
      }
      return "none";
    };
    expect(refusal("{")).toBe("tokenizer.json is not JSON");
    expect(refusal("null")).toMatch(/its model is null/);
    expect(refusal(changed((json) => Object.assign(json.model, { type: "Unigram" })))).toMatch(
      /its model is "Unigram"; Brink reads WordPiece/,
    );
    expect(
      refusal(changed((json) => Object.assign(json.normalizer, { lowercase: false }))),
    ).toMatch(/normalizer\.lowercase/);
    expect(refusal(changed((json) => Object.assign(json.model, { unk_token: "<unk>" })))).toMatch(
      /lacks <unk>/,
    );
    expect(refusal(changed((json) => Object.assign(json.model.vocab, { big: 2 ** 31 })))).toMatch(
      /vocab\.big/,
    );
    expect(refusal(changed((json) => Object.assign(json.post_processor, { pair: {} })))).toMatch(
      /post_processor\.pair/,
    );
    expect(
      refusal(changed((json) => Object.assign(json.post_processor, { special_tokens: {} }))),
    ).toMatch(/no special token \[CLS\]/);
  });
});
