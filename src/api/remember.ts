/** POST /v1/memory/remember -> 200, turns of a conversation, each stored as a document. Errors:
 *  invalid_request, forbidden, namespace_forbidden, namespace_not_found, memory_full. */
import { mayPass, ServiceError } from "../errors.ts";
import type { MemoryAdmin } from "../pipeline/memory-types.ts";
import type { Caller } from "../pipeline/types.ts";
import { checkMayWrite } from "./auth.ts";
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import {
  parseRemember,
  type RememberCall,
  RememberReply,
  RememberRequest,
} from "./schema/remember.ts";
import { jsonBody, NEEDS_KEY, replies } from "./schema/replies.ts";

export const remember = newApi();

endpoint(
  remember,
  {
    method: "post",
    path: "/v1/memory/remember",
    summary: "Remember turns of a conversation",
    description:
      "Each turn is the document CONVERSATION/TURN with the metadata conversation and speaker. " +
      "Needs an admin key or the permission memory:write. Sending a turn again does nothing.",
    security: NEEDS_KEY,
    request: { body: jsonBody(RememberRequest) },
    responses: replies(200, "The turns' documents", RememberReply),
  },
  async (c) => {
    const caller = c.get("caller");
    const service = c.get("service");
    checkMayWrite(caller);
    const call = parseRemember(await readJson(c), caller);
    const reply = await rememberTurns(service.memoryAdmin, caller, call);
    if (reply.errors.some(({ code }) => mayPass(code))) c.set("unsure", true);
    return c.json(reply);
  },
);

/** Where none at all is taken, the first one's error is thrown. */
async function rememberTurns(memory: MemoryAdmin, caller: Caller, call: RememberCall) {
  const { namespace, conversation, documents } = call;
  const outcome = await memory.ingest(caller, namespace, documents);
  const errors = outcome.errors.sort((a, b) => a.index - b.index);
  const [first] = errors;
  if (first !== undefined && outcome.documents.length === 0)
    throw new ServiceError(first.code, `turn ${first.index}: ${first.message}`, {
      param: `turns[${first.index}]`,
    });
  const byIndex = outcome.documents.sort((a, b) => a.index - b.index);
  const turns = byIndex.map(({ id, version, unchanged }) => {
    return { document_id: id, version, unchanged };
  });
  return { conversation, turns, errors };
}
