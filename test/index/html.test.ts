import fc from "fast-check";
import { expect, it } from "vitest";
import { chunk } from "../../index/chunk.ts";
import { htmlToMarkdown } from "../../index/html-to-markdown.ts";
import { markdownBlocks } from "../../index/markdown-blocks.ts";
import { DOCUMENT_CHARS_MAX } from "../../src/limits.ts";
import { countTokens, expectLossless } from "./passages.ts";

const seed = 20261124;

const encoded = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
const textOf = (html: string) => htmlToMarkdown(html).text;

it("a page becomes headings, paragraphs, lists, quotations, code and tables", () => {
  const page = `<!doctype html><html><head><title>The
    lease &amp; more</title><style>p { color: red }</style>
    <script>if (a<b) x("</p>")</script></head>
    <body><nav><a href="/">Home</a></nav><main><h1>The   lease</h1><p>It ends
    on <b>3&nbsp;M</b>ay &#8212; &notin; &hellip;.<br>Second line</p>
    <ul><li>one<li><p>two</p><p>more</p><ol><li>a</li><li>b</li></ol></ul>
    <blockquote><p>quoted</p>said</blockquote><pre><code>let a = 1;
  if (a &lt; 2) "\`\`\`";
</code></pre><table><caption>Rents</caption><tr><th>Flat<th>Rent</tr><tr><td>a|b<td><p>1</p><p>2</p>
    </table>end</main></body></html>`;
  expect(htmlToMarkdown(page)).toEqual({
    title: "The lease & more",
    text: `# The lease

It ends on 3\u00a0May — ∉ ….
Second line

- one
- two

  more
  1. a
  2. b

> quoted
>
> said

\`\`\`\`
let a = 1;
  if (a < 2) "\`\`\`";
\`\`\`\`

Rents

| Flat | Rent |
| --- | --- |
| a\\|b | 1 2 |

end`,
  });
});

it("what a page does not show is not stored", () => {
  const hidden =
    "<script>1</script><style>1</style><nav>1<p>1</nav><template>1</template>" +
    "<noscript>1</noscript>" +
    "<svg><title>1</title><text>1</text></svg><p hidden>1<b>1</b></p><div aria-hidden='true'>1" +
    "<div>1</div>1</div><p style='color: red; DISPLAY : none'>1</p><!-- 1 --><iframe>1</iframe>" +
    "<select><option>1</select><button>1</button><textarea>1</textarea><input value=1><svg/>";
  expect(textOf(`<p>before</p>${hidden}<p>after</p>`)).toBe("before\n\nafter");
  expect(textOf("<body style='display:none' hidden><p>shown by a script</p>")).toBe(
    "shown by a script",
  );
  expect(textOf("<script/>let a<b;</script><p>text")).toBe("text");
});

it("a heading keeps its id, where GitHub's anchor is not the same, and loses its own link", () => {
  const page =
    '<section id="top"><h1>The lease<a class="headerlink" href="#top">¶</a></h1></section>' +
    '<h2 id="rent">Rent</h2>x' +
    '<h2><a id="user-content-due" aria-hidden="true" href="#due">#</a>Due</h2>' +
    '<a name="end"></a><h3>End <a href="#rent">of the rent</a></h3><p id="p">text<h2>Last</h2>';
  const { text, title } = htmlToMarkdown(page);
  expect(title).toBe("The lease");
  expect(text.match(/^#.*$/gm)).toEqual([
    "# The lease {#top}",
    "## Rent",
    "## Due {#user-content-due}",
    "### End of the rent {#end}",
    "## Last",
  ]);
  expect(markdownBlocks(text).sections.map(({ anchor }) => anchor)).toEqual([
    "top",
    "rent",
    "user-content-due",
    "end",
    "last",
  ]);
});

it("a table that lays out the page is read as blocks", () => {
  const page =
    "<table><tr><td>side</td><td><h2>News</h2><p>text</p><table><tr><td>a<td>b</table></td></tr>" +
    "<tr><td>foot</td></tr></table>";
  expect(textOf(page)).toBe("side\n\n## News\n\ntext\n\n| a | b |\n| --- | --- |\n\nfoot");
  expect(textOf("<table><tr><td>alone</table>")).toBe("alone");
});

const MARKS =
  "# ## > - + * 1. 2) ``` ~~~ --- === *** ___ |a|b |-|-| :-: <div> <!-- [a]: &amp; {#x}";
const words = fc.array(
  fc.constantFrom(...MARKS.split(" "), "word", "two words", "#", "-", "=", "9"),
  {
    minLength: 1,
    maxLength: 6,
  },
);

it("text that looks like Markdown stays text", () => {
  fc.assert(
    fc.property(fc.array(words, { minLength: 1, maxLength: 4 }), fc.boolean(), (parts, lines) => {
      const texts = parts.map((part) => part.join(" "));
      const page = lines
        ? `<p>${texts.map(encoded).join("<br>")}</p>`
        : texts.map((text) => `<p>${encoded(text)}</p>`).join("");
      const { text } = htmlToMarkdown(page);
      const { blocks, sections } = markdownBlocks(text);
      expect(sections).toEqual([]);
      expect(blocks.map(({ kind }) => kind)).toEqual(blocks.map(() => "prose"));
      expect(text.replace(/^(\d*)\\/gm, "$1").replace(/\n+/g, "\n")).toBe(texts.join("\n"));
    }),
    { seed, numRuns: 2_000 },
  );
});

it("headings come back from the Markdown as they stood on the page", () => {
  const heading = fc.tuple(
    fc.array(
      fc.constantFrom(..."a|B|*b*|`c`|[d](e)|C#|#|x_y_z|<i>|&amp;|{#f}|\\|!|~~g~~".split("|")),
      {
        minLength: 1,
        maxLength: 5,
      },
    ),
    fc.integer({ min: 1, max: 6 }),
    fc.constantFrom(null, "id", "a", "ü"),
  );
  fc.assert(
    fc.property(fc.array(heading, { minLength: 1, maxLength: 5 }), (headings) => {
      const page = headings.map(([parts, level, id]) => {
        const text = parts.join(" ");
        return `<h${level}${id === null ? "" : ` id="${id}"`}>${encoded(text)}</h${level}><p>x</p>`;
      });
      const { sections } = markdownBlocks(textOf(page.join("")));
      expect(sections.map(({ heading_path }) => heading_path.at(-1))).toEqual(
        headings.map(([parts]) => parts.join(" ")),
      );
      for (const [i, [, , id]] of headings.entries())
        if (id !== null) expect(sections[i]!.anchor).toBe(id);
    }),
    { seed, numRuns: 1_000 },
  );
});

const TAGS =
  "<p>|</p>|<div>|</div>|<ul>|</ul>|<ol>|<li>|</li>|<table>|</table>|<tr>|<td>|</td>|<th>|" +
  "<h1>|</h1>|<h2 id=a>|<pre>|</pre>|<blockquote>|</blockquote>|<nav>|</nav>|<b>|</i>|<br>|" +
  "<hr>|<svg>|</svg>|<a href=#a>|</a>|<a name=b>|<title>|</title>|<script>|</script>|<p hidden>|" +
  "<img alt=i>|<!--|-->|<|&|&amp;|&#0;|&#xD800;|\u0000|text| |\n|more words here|#|\ud800";

it("every page converts, however broken, and its Markdown is cut into passages", async () => {
  const pages = fc.array(fc.constantFrom(...TAGS.split("|")), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(pages, async (parts) => {
      const { text } = htmlToMarkdown(parts.join(""));
      expectLossless(text, await chunk(text, countTokens, "text/markdown"));
      expect(text).not.toMatch(/[ \n]$/);
    }),
    { seed, numRuns: 2_000 },
  );
});

it("100,000 nested, unclosed or wrongly closed elements convert", () => {
  const kinds = [
    ...["<div>", "<b>", "<ul>", "<ul><li>", "<blockquote>", "<table>", "<table><tr><td>", "<h1>"],
    ...["<pre>", "<nav>", "<svg>", "<svg/>", "<p hidden>", "</div>", "</a>", "<td>a", "<tr>a"],
    ...["<a id=x> ", "<h1><a href=#x>a", "<!--", "<![CDATA[", "<", "&", "&amp;", "<img alt=a>"],
    ...["<title>", "<script>", "<p>", "<li>", "<option>", "<plaintext>", "<p a=b c", "<br>"],
  ];
  for (const kind of kinds) {
    const times = Math.min(100_000, DOCUMENT_CHARS_MAX / kind.length);
    expect(`${kind} ${textOf(kind.repeat(times)).length <= DOCUMENT_CHARS_MAX}`).toBe(
      `${kind} true`,
    );
    const closed = `${kind.repeat(50_000).slice(0, 250_000)}text${"</b>".repeat(50_000)}</x>`;
    expect(textOf(closed).length).toBeLessThanOrEqual(DOCUMENT_CHARS_MAX);
  }
});

it("a title that is cut ends with a whole character", () => {
  for (const [before, kept] of [
    ["", 500],
    ["a", 499],
  ] as const) {
    const title = before + "😀".repeat(600);
    const cut = before + "😀".repeat(kept);
    expect(htmlToMarkdown(`<title>${title}</title><p>Text`).title).toBe(cut);
    expect(htmlToMarkdown(`<h1>${title}</h1><p>Text`).title).toBe(cut);
  }
});

it("a page whose text is longer than a document's is refused", () => {
  const page = "<ul><li><ol><li>".repeat(4) + "<br>text".repeat(60_000);
  expect(() => htmlToMarkdown(page)).toThrow(/characters of text, the limit is 500000/);
});
