/** What the ledger remembers of a deployment. Plain data: it crosses object RPC. */
import type { NamespaceOptions } from "../memory/types.ts";

/** An API key without the key itself, which nobody stores. */
export interface KeyRecord {
  id: string;
  /** What people call it. */
  name: string | null;
  tenant: string;
  role: "inference" | "admin";
  /** Namespaces it may read; null: all of its tenant's. */
  namespaces: string[] | null;
  default_namespace: string | null;
  /** What an inference key may beyond reading; absent in keys made before there were any. */
  permissions?: "memory:write"[];
  /** Unix time in ms. */
  created_at: number;
}

/** A key about to be stored: `hash` is the SHA-256 of the key, 64 lower-case hexadecimal digits. */
export interface NewKey extends KeyRecord {
  hash: string;
}

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
