/** Turns of conversations, each remembered as a document. */
import {
  CONVERSATION_CHARS_MAX,
  DOCUMENT_ID_CHARS_MAX,
  EMBEDDING_INPUTS_MAX,
  SPEAKER_CHARS_MAX,
} from "../../limits.ts";
import { documentDigest } from "../../memory/document-digest.ts";
import type { Caller, SubmittedDocument } from "../../pipeline/types.ts";
import { reachNamespace } from "../auth.ts";
import { Namespace, parse, z } from "./common.ts";
import { DocumentMetadata, DocumentText, Time, unixMs } from "./documents.ts";

/** A turn's document is CONVERSATION/TURN. */
const TURN_ID_CHARS_MAX = DOCUMENT_ID_CHARS_MAX - CONVERSATION_CHARS_MAX - 1;

const Turn = z.strictObject({
  speaker: z
    .string()
    .min(1)
    .max(SPEAKER_CHARS_MAX)
    .openapi({ description: "Who said it; stands in the metadata." }),
  text: DocumentText.openapi({ description: "What was said." }),
  time: Time.nullish().openapi({ description: "Omitted: now." }),
  id: z.string().min(1).max(TURN_ID_CHARS_MAX).nullish().openapi({
    description: "Unique in the conversation; omitted: made of speaker, text and time.",
  }),
});

export const RememberRequest = z
  .strictObject({
    namespace: Namespace.nullish().openapi({ description: "Omitted: the key's default." }),
    conversation: z
      .string()
      .min(1)
      .max(CONVERSATION_CHARS_MAX)
      .refine((name) => !name.includes("/"), { error: "may not hold a slash" })
      .openapi({ description: "The conversation's name." }),
    turns: z
      .array(Turn)
      .min(1)
      .max(EMBEDDING_INPUTS_MAX)
      .openapi({ description: "What was said, in any order." }),
    metadata: DocumentMetadata.nullish().openapi({
      description: "Of every turn, beside conversation and speaker.",
    }),
  })
  .superRefine((body, ctx) => {
    for (const field of ["conversation", "speaker"])
      if (Object.hasOwn(body.metadata ?? {}, field))
        ctx.addIssue({
          code: "custom",
          path: ["metadata", field],
          message: "is set by Brink itself",
        });
  })
  .openapi("RememberRequest");

export interface RememberCall {
  namespace: string;
  conversation: string;
  /** One a turn, in the turns' order. */
  documents: (SubmittedDocument & { id: string })[];
}

/** Throws `invalid_request`, `namespace_forbidden`. */
export function parseRemember(body: unknown, caller: Caller): RememberCall {
  const asked = parse(RememberRequest, body);
  const { conversation } = asked;
  const documents = asked.turns.map(({ speaker, text, time, id }) => {
    const content = {
      text,
      title: null,
      metadata: { ...asked.metadata, conversation, speaker },
      expires_at: null,
      content_type: "text/plain" as const,
    };
    const at = time == null ? null : unixMs(time);
    const turn = id ?? documentDigest({ ...content, metadata: { speaker, at } }, null).slice(0, 32);
    const rest = { time: at, if_version: null, embedding: null };
    return { ...content, ...rest, id: `${conversation}/${turn}` };
  });
  const namespace = reachNamespace(caller, asked.namespace, "namespace");
  return { namespace, conversation, documents };
}

export const RememberReply = z
  .object({
    conversation: z.string(),
    turns: z
      .array(
        z.object({
          document_id: z.string(),
          version: z.int(),
          unchanged: z.boolean(),
        }),
      )
      .openapi({ description: "In the turns' order, without those refused." }),
    errors: z.array(
      z.object({
        index: z.int().openapi({ description: "The turn's place in the call, from 0." }),
        code: z.string(),
        message: z.string(),
      }),
    ),
  })
  .openapi("RememberReply");
