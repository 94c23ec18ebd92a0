/** Why a hit stands where it does: what its score is made of, and each term's share, as bars. */
import { summandsOf } from "./arithmetic.js";
import { bar, barList, factList } from "./bars.js";
import { el } from "./dom.js";
import { fixed, short } from "./format.js";

/** @typedef {import("./types.js").Explanation} Explanation */

/** @param {Explanation} explanation */
export function makeExplanation(explanation) {
  const { fusion, bm25_terms } = explanation;
  return el(
    "div",
    { class: "explanation" },
    factList(describeFacts(explanation)),
    describeParts(explanation),
    el("p", { class: "faint" }, "Computed as ", el("code", {}, rounded(fusion))),
    bm25_terms === null
      ? null
      : bm25_terms.length === 0
        ? el("p", { class: "faint" }, "No term of the query stands in this passage.")
        : makeTermTable(bm25_terms),
  );
}

/** @param {Explanation} explanation */
function describeFacts({ bm25, cosine, bm25_rank, vector_rank, recency, diversity, rerank }) {
  /** @type {[string, string][]} */
  const facts = [
    ["BM25", bm25 === null ? "not found" : `${fixed(bm25)}${describeRank(bm25_rank)}`],
    ["Cosine", cosine === null ? "not found" : `${fixed(cosine)}${describeRank(vector_rank)}`],
  ];
  if (recency) facts.push(["Age", `${short(recency.age_days)} days: × ${fixed(recency.factor)}`]);
  if (diversity) facts.push(["Before diversity", `rank ${diversity.rank}`]);
  if (rerank) facts.push(["Before reranking", `rank ${rerank.rank}`]);
  return facts;
}

/** @param {number | null} rank */
function describeRank(rank) {
  return rank === null ? "" : `, rank ${rank}`;
}

/** @param {Explanation} explanation */
function describeParts({ fusion, fused, bm25_rank, vector_rank }) {
  const parts = summandsOf(fusion);
  if (parts === null || parts.length < 2 || fused <= 0) return null;
  // Reciprocal ranks stand in the order words, meaning; the convex sum has meaning first.
  const names = fusion.startsWith("1 / ")
    ? [bm25_rank === null ? null : "by words", vector_rank === null ? null : "by meaning"]
    : ["by meaning", "by words"];
  const known = names.filter((name) => name !== null);
  const rows = parts.map(({ value }, i) => ({
    name: known[i] ?? `part ${i + 1}`,
    value: fixed(value),
    share: value / fused,
  }));
  const sum = { name: "score before decay", value: fixed(fused), share: 1, kind: "quiet" };
  return el("div", { class: "parts" }, barList([...rows, sum]));
}

/** Its numbers with four digits.
 * @param {string} formula */
function rounded(formula) {
  return formula.replace(/\b\d+\.\d{4,}/g, (number) => short(Number(number)));
}

/** @param {NonNullable<Explanation["bm25_terms"]>} terms */
function makeTermTable(terms) {
  const largest = Math.max(...terms.map(({ contribution }) => contribution), 0);
  const heads = ["Term", "tf", "df", "idf", "Contribution"];
  const rows = [...terms]
    .sort((a, b) => b.contribution - a.contribution)
    .map(({ term, tf, df, idf, contribution }) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, el("code", {}, term)),
        ...[short(tf), short(df), fixed(idf)].map((value) => el("td", { class: "number" }, value)),
        el(
          "td",
          { class: "share" },
          bar(largest > 0 ? contribution / largest : 0),
          el("span", {}, fixed(contribution)),
        ),
      ),
    );
  const region = { class: "scroll", role: "region", tabindex: 0, "aria-label": "Terms" };
  return el(
    "div",
    region,
    el(
      "table",
      {},
      el("caption", {}, "Each term's share of the BM25 score"),
      el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, ...rows),
    ),
  );
}
