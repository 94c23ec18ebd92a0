/** What the ledger remembers of a deployment. Plain data: it crosses object RPC. */
import type { NamespaceOptions } from "../memory/types.ts";

/** What a key may do. `admin` includes all others; `admin:read` may GET what an administrator may;
 *  `inference` may ask, embed, rerank and search, and with `memory:write` also remember. */
export const SCOPES = ["inference", "memory:write", "admin:read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export const BUDGET_PERIODS = ["day", "month", "total"] as const;
/** A day and a month are UTC's. */
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];

/** Null: no such limit. */
export interface KeyLimits {
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  budget_usd: number | null;
  budget_period: BudgetPeriod;
}

/** An API key without the key itself, which nobody stores. */
export interface KeyRecord extends KeyLimits {
  id: string;
  /** What people call it. */
  name: string | null;
  tenant: string;
  scopes: Scope[];
  /** Namespaces it may read; null: all of its tenant's. */
  namespaces: string[] | null;
  default_namespace: string | null;
  /** Unix time in ms; null: never. */
  expires_at: number | null;
  disabled: boolean;
  /** Unix time in ms. */
  created_at: number;
}

/** A key about to be stored: `hash` is the SHA-256 of the key, 64 lower-case hexadecimal digits. */
export interface NewKey extends KeyRecord {
  hash: string;
}

/** What may be changed of a key. */
export type KeyChanges = Partial<Omit<KeyRecord, "id" | "tenant" | "created_at">>;

export interface NamespaceRecord {
  tenant: string;
  name: string;
  options: NamespaceOptions;
  /** Unix time in ms. */
  created_at: number;
}

/** A model file being uploaded: what it will be, and the parts that have come. */
export interface UploadRecord {
  id: string;
  /** The model's name. */
  name: string;
  /** Of the whole file. */
  bytes: number;
  /** Of the whole file, 64 lower-case hexadecimal digits. */
  sha256: string;
  /** What an ONNX model has beside its file: the manifest, checked, as JSON, and how many of the
   *  file's bytes are its tokenizer; null for a decoder. */
  onnx: { manifest: string; tokenizer_bytes: number } | null;
  /** R2's id of the multipart upload. */
  multipart: string;
  /** From 1, in order, with R2's tag of each. */
  parts: { part: number; etag: string }[];
  /** Unix time in ms. */
  expires_at: number;
}

/** What is to be merged into a setting, as JSON. */
export interface SettingPatch {
  setting: string;
  patch: string;
}
