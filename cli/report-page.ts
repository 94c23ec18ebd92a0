/** A router report as one HTML file: it loads nothing from anywhere, runs no script, and is read in
 *  the light and in the dark, on paper and on a phone. */
import type { Interval } from "../src/router/curves.ts";
import { interval, type Section, share } from "./report-plots.ts";
import type { FeatureRow, KindRow } from "./report-statistics.ts";
import { escapeHtml } from "./report-svg.ts";

export interface Example {
  question: string;
  answer: string | null;
  expected: string | null;
  difficulty: number;
  verdict: string;
}

export interface Report {
  /** What is said of where the figures are from, by name. */
  source: [string, string][];
  /** What the figures say, in a few sentences. */
  summary: string[];
  figures: { name: string; value: string; interval: string }[];
  sections: Section[];
  features: FeatureRow[];
  kinds: KindRow[];
  /** Confident mistakes, and the hardest questions. */
  examples: { heading: string; says: string; rows: Example[] }[];
  /** How it was measured. */
  notes: string[];
}

const STYLE = `
:root { color-scheme: light dark; --bg: #fcfcfa; --card: #fff; --ink: #1c1e21; --soft: #5a6068;
  --line: #dcdfe3; --a: #1f6fb2; --b: #c2410c; --c: #3f7d3a; --mark: #7a4fb5; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171a; --card: #1c2024; --ink: #e8eaed;
  --soft: #a3abb5; --line: #363c43; --a: #6cb2ee; --b: #f59a5b; --c: #7fc47a; --mark: #c3a2f2; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; overflow-wrap: break-word }
main { max-width: 1120px; margin: 0 auto; padding: 28px 16px 64px }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 .4rem }
p { margin: 0 0 .6rem; max-width: 75ch }
.soft, figcaption, thead th, .legend { color: var(--soft) }
.figures { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  margin: 20px 0; padding: 0; list-style: none }
.figures li, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px }
.figures li { padding: 12px 14px }
.figures b { display: block; font-size: 1.45rem; line-height: 1.2;
  font-variant-numeric: tabular-nums }
.figures span { display: block; font-size: .82rem; color: var(--soft) }
.plots { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)) }
section { padding: 18px; min-width: 0 }
.plots + section, section + section { margin-top: 16px }
.plots section { margin: 0 }
figure { margin: 0 }
figcaption { font-size: .9rem; margin-bottom: 10px }
svg { display: block; width: 100%; height: auto; max-width: 640px }
svg text { font: 12px system-ui, "Segoe UI", Roboto, sans-serif; fill: var(--soft) }
svg .name, svg .label { font-size: 12.5px }
svg .label { fill: var(--mark); paint-order: stroke; stroke: var(--card); stroke-width: 4px }
.grid { stroke: var(--line) } .axis { stroke: var(--soft) }
.line { fill: none; stroke: var(--k); stroke-width: 2.2; stroke-linejoin: round }
.band { fill: var(--k); opacity: .16 } .dot { fill: var(--k) }
.whisker { stroke: var(--k); stroke-width: 1.6 } rect.box { fill: var(--k) }
.mark { stroke: var(--mark); stroke-width: 1.4; stroke-dasharray: 2 4 }
.a { --k: var(--a) } .b { --k: var(--b) } .c { --k: var(--c) } .muted { --k: var(--soft) }
.dash { stroke-dasharray: 6 4 } .dot-dash { stroke-dasharray: 1 4; stroke-linecap: round }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: .85rem; margin: 8px 0 0;
  padding: 0; list-style: none }
.legend li { display: flex; align-items: center; gap: 7px }
.legend svg { width: 26px; height: 12px; flex: none }
details { margin-top: 10px; font-size: .88rem }
summary { cursor: pointer; color: var(--soft) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .88rem;
  font-variant-numeric: tabular-nums }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0;
  border-bottom: 1px solid var(--line) }
th { font-weight: 600 } td.n, th.n { text-align: right; white-space: nowrap }
.bar { display: block; width: 110px; height: 10px; border-radius: 2px; background: var(--line);
  position: relative }
.bar i { position: absolute; top: 0; bottom: 0; border-radius: 2px; background: var(--k) }
.bar::after { content: ""; position: absolute; left: 50%; top: -2px; bottom: -2px; width: 1px;
  background: var(--soft) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: .9rem;
  margin: 12px 0 } dt { color: var(--soft) } dd { margin: 0; min-width: 0 }
.examples td:first-child { min-width: 13rem } .examples td:nth-child(-n+3) { min-width: 9rem }
@media (max-width: 520px) { dl { grid-template-columns: 1fr } dd { margin-bottom: 6px }
  section { padding: 14px } svg text, svg .name, svg .label { font-size: 14px } }
@media print { section { break-inside: avoid } }
`;

export function renderReport(report: Report): string {
  const { source, summary, figures, sections, features, kinds, examples, notes } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Router report</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Router report</h1>
${summary.map(paragraph).join("\n")}
<dl>${source.map(([name, value]) => `<dt>${e(name)}</dt><dd>${e(value)}</dd>`).join("\n")}</dl>
<ul class="figures">
${figures
  .map(
    (one) => `<li><span>${e(one.name)}</span><b>${e(one.value)}</b><span>${e(one.interval)}</span>`,
  )
  .join("\n")}
</ul>
<div class="plots">
${sections.map(renderSection).join("\n")}
</div>
${renderFeatures(features)}
${renderKinds(kinds)}
${examples.map(renderExamples).join("\n")}
<section>
<h2>How this was measured</h2>
${notes.map(paragraph).join("\n")}
</section>
</main>
</body>
</html>
`;
}

const e = escapeHtml;

function paragraph(text: string): string {
  return `<p>${e(text)}</p>`;
}

function renderSection({ heading, says, svg, legend, head, rows }: Section): string {
  return `<section>
<h2>${e(heading)}</h2>
<figure>
<figcaption>${e(says)}</figcaption>
${svg}
</figure>
<ul class="legend">${legend.map(renderLegend).join("")}</ul>
<details><summary>The figures behind it</summary>
${renderTable(heading, head, rows, 0)}
</details>
</section>`;
}

function renderLegend({ kind, name }: { kind: string; name: string }): string {
  const sign = kind.includes("box")
    ? `<rect class="${kind}" width="14" height="12" x="6"/>`
    : `<path class="line ${kind}" d="M1 6H25"/>`;
  return `<li><svg viewBox="0 0 26 12" aria-hidden="true">${sign}</svg>${e(name)}</li>`;
}

/** Columns from `numbers` on are aligned right. */
function renderTable(caption: string, head: string[], rows: string[][], numbers: number): string {
  const n = (i: number) => (i >= numbers ? ' class="n"' : "");
  const cells = (row: string[]) => row.map((cell, i) => `<td${n(i)}>${e(cell)}</td>`).join("");
  return `<div class="scroll" tabindex="0" role="region" aria-label="${e(caption)}"><table>
<caption>${e(caption)}</caption>
<thead><tr>${head.map((name, i) => `<th scope="col"${n(i)}>${e(name)}</th>`).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("\n")}</tbody>
</table></div>`;
}

function renderFeatures(features: readonly FeatureRow[]): string {
  if (features.length === 0) return "";
  const weighed = features.some(({ weight }) => weight !== null);
  const most = Math.max(...features.map(({ weight }) => Math.abs(weight ?? 0))) || 1;
  const strength = ({ weight, alone }: FeatureRow) =>
    weight === null ? 2 * (alone.value - 0.5) : weight / most;
  const rows = features.map((row) => {
    const { name, weight, alone } = row;
    return (
      `<tr><th scope="row">${e(name)}</th><td>${renderBar(strength(row))}</td>` +
      `<td class="n">${weight === null ? "" : weight.toFixed(2)}</td>` +
      `<td class="n">${alone.value.toFixed(3)}</td>` +
      `<td class="n">${e(interval(alone, (x) => x.toFixed(3)))}</td></tr>`
    );
  });
  const says = weighed
    ? "To the right of the middle: makes a wrong answer likelier. Weights are of standardized " +
      "features."
    : "These weights are not at hand (--weights FILE names them): the bars are how well each " +
      "feature alone tells wrong answers from right ones.";
  return `<section><h2>What the difficulty goes by</h2><p class="soft">${e(says)}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Features"><table>
<caption>The strongest features</caption>
<thead><tr><th scope="col">feature</th><th scope="col">easier | harder</th>
<th scope="col" class="n">weight</th><th scope="col" class="n">AUROC alone</th>
<th scope="col" class="n">95 %</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table></div></section>`;
}

/** From the middle, -1..1. */
function renderBar(value: number): string {
  const half = Math.min(50, Math.abs(value) * 50).toFixed(1);
  const side = value < 0 ? `right:50%` : `left:50%`;
  const kind = value < 0 ? "a" : "b";
  const filled = `<i style="${side};width:${half}%"></i>`;
  return `<span class="bar ${kind}" aria-hidden="true">${filled}</span>`;
}

function renderKinds(kinds: readonly KindRow[]): string {
  const head = ["asks", "questions", "answered", "wrong", "95 %", "difficulty, mean", "kept"];
  const rows = kinds.map((row) => [
    row.kind,
    String(row.questions),
    share(row.answers / row.questions),
    row.wrong === null ? "" : share(row.wrong.value),
    row.wrong === null ? "" : interval(row.wrong as Interval),
    row.answers === 0 ? "" : share(row.difficulty),
    share(row.kept / row.questions),
  ]);
  return `<section><h2>Kinds of question</h2>
<p class="soft">Wrong and difficulty are of the answers; kept is the share of questions at or below
the service's threshold.</p>
${renderTable("By what is asked", head, rows, 1)}</section>`;
}

function renderExamples({ heading, says, rows }: Report["examples"][number]): string {
  if (rows.length === 0) return "";
  const body = rows.map((row) => [
    row.question,
    row.answer ?? "(none)",
    row.expected ?? "",
    row.verdict,
    row.difficulty.toFixed(3),
  ]);
  const head = ["question", "the edge's answer", "known answer", "it is", "difficulty"];
  return `<section class="examples"><h2>${e(heading)}</h2><p class="soft">${e(says)}</p>
${renderTable(heading, head, body, 4)}</section>`;
}
