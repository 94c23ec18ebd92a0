/** POST /v1/classify -> 200, a score for each of a classifier's labels, a text. In Jina's shape,
 *  but the labels are the model's own. Errors: invalid_request, model_not_found,
 *  model_too_large, model_unavailable. */
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { jsonBody, NEEDS_KEY, replies } from "./schema/replies.ts";
import { ClassifyReply, ClassifyRequest, parseClassify } from "./schema/rerank.ts";

export const classify = newApi();

endpoint(
  classify,
  {
    method: "post",
    path: "/v1/classify",
    summary: "Classify texts with an ONNX classifier",
    security: NEEDS_KEY,
    request: { body: jsonBody(ClassifyRequest) },
    responses: replies(200, "The labels' scores, in the texts' order", ClassifyReply),
  },
  async (c) => {
    const { model, texts } = parseClassify(await readJson(c));
    const { labels, scores, tokens } = await c.get("service").classify(model, texts);
    return c.json({
      model,
      data: scores.map((row, index) => {
        const predictions = row.map((score, i) => ({ label: labels[i]!, score }));
        const best = predictions.reduce((a, b) => (b.score > a.score ? b : a));
        return {
          object: "classification",
          index,
          prediction: best.label,
          score: best.score,
          predictions,
        };
      }),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  },
);
