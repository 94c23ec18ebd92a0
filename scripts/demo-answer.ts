/** What `npm run demo` shows of an answer. */

export interface Shown {
  question: string;
  answer: string | null;
  text: string;
  route: string;
  wanted?: string;
  difficulty: number | null;
  reason: string;
  /** `mark`: the n of the text's [n] that means it. */
  citations: { mark: number; document_id: string; quote: string }[];
  ms: number;
}

/** For people: the question, its answer, what the marks mean, and how it came about. */
export function describeAnswer(kind: string, shown: Shown): string {
  const { question, text, route, wanted, difficulty, reason, citations, ms } = shown;
  const lines = citations.map(({ mark, document_id }) => `  [${mark}] ${document_id}`);
  return `
(${kind}) ${question}
${text.replace(/^/gm, "  ")}
${lines.join("\n")}
  route ${wanted ? `${route} (wanted ${wanted})` : route}, ${ms} ms
  difficulty ${difficulty?.toFixed(3)}
  ${reason}`;
}
