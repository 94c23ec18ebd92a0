/** HTML: pages of which it is known what they show, and broken ones. */
import { htmlToMarkdown } from "../../index/html-to-markdown.ts";
import { DOCUMENT_CHARS_MAX } from "../../src/limits.ts";
import { checkPassages } from "./chunked.ts";
import { mutatedText, ODD_TEXTS, type Random } from "./random.ts";
import { must, mustEqual, refusalOf, type Target } from "./target.ts";

export const HTML_PIECES: readonly string[] = [
  ..."<p>|</p>|<div>|</div>|<ul>|</ul>|<ol>|<li>|<table>|</table>|<tr>|<td>|<th>|<caption>".split(
    "|",
  ),
  ..."<h1>|</h1>|<h2 id=a>|<h6>|<pre>|</pre>|<code>|<blockquote>|<nav>|</nav>|<b>|</i>|<br>".split(
    "|",
  ),
  ..."<svg>|</svg>|<math>|<a href=#a>|</a>|<title>|</title>|<script>|</script>|<style>".split("|"),
  ..."<template>|</template>|<p hidden>|<img alt=i>|<!--|-->|<![CDATA[|]]>|<!doctype html>".split(
    "|",
  ),
  ..."<|>|&|&amp;|&#0;|&#xD800;|&#x110000;|&notit;|='|\"|/>|<p a=b c|<plaintext>|text| |\n".split(
    "|",
  ),
];

/** What `page` shows, by words that stand in no markup, and what it does not. */
interface Page {
  html: string;
  shown: string[];
  hidden: string[];
}

const WRAPS = [
  "p",
  "div",
  "ul><li",
  "ol><li",
  "blockquote",
  "h2",
  "section",
  "b",
  "a href='#x'",
  "main",
];
const HIDES = [
  "script",
  "style",
  "template",
  "nav",
  "p hidden",
  "div style='display:none'",
  "select",
];

function closing(open: string): string {
  const names = open.split("><").map((name) => `</${name.split(" ")[0]}>`);
  return names.reverse().join("");
}

/** Elements in elements, well-formed; each piece of text is one numbered word. */
function well(page: Page, random: Random, depth: number): void {
  for (let parts = 1 + random.below(4); parts > 0; parts--) {
    const kind = random.below(10);
    if (kind < 4 || depth > 6) {
      const word = `word${page.shown.length}`;
      page.shown.push(word);
      page.html += `${random.pick(["", " ", "\n", "&nbsp;"])}${word} `;
    } else if (kind < 5) {
      const word = `secret${page.hidden.length}`;
      page.hidden.push(word);
      const open = random.pick(HIDES);
      page.html += `<${open}>${word}${closing(open)}`;
    } else {
      const open = random.pick(WRAPS);
      page.html += `<${open}>`;
      well(page, random, depth + 1);
      page.html += closing(open);
    }
  }
}

export const htmlPages: Target = {
  name: "html",
  about: "pages to Markdown: all that is shown, in order, nothing hidden; broken ones to passages",
  cases: 30_000,
  short: 300,
  ends: ["shown", "converted", "invalid_request"],
  prepare: () => async (random, show) => {
    const page: Page = { html: "", shown: [], hidden: [] };
    well(page, random, 0);
    if (random.once(2)) {
      show(page.html);
      const { text } = htmlToMarkdown(page.html);
      mustEqual(text.match(/word\d+/g) ?? [], page.shown, "the words");
      must(!text.includes("secret"), "what is hidden is in the text");
      await checkPassages(text, "text/markdown");
      return "shown";
    }
    const pieces = [...HTML_PIECES, ...ODD_TEXTS];
    let html = random.once(2) ? mutatedText(page.html, random, pieces) : random.joined(pieces, 80);
    if (random.once(60)) html = `<ul><li><ol><li>${"<br>text".repeat(60_000)}`;
    show(html);
    try {
      const { text, title } = htmlToMarkdown(html);
      must(text.length <= DOCUMENT_CHARS_MAX, `${text.length} characters`);
      must(!/[ \n]$/.test(text), "white space at the end");
      must(!(title ?? "").includes("\n"), "a title of lines");
      await checkPassages(text, "text/markdown");
      return "converted";
    } catch (error) {
      return refusalOf(error);
    }
  },
};
