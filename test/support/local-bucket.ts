/** The models' bucket of a local run, filled before the service starts on its state. */
import { join } from "node:path";
import { getPlatformProxy } from "wrangler";

const root = join(import.meta.dirname, "../..");

export interface BucketFile {
  key: string;
  content: string | Uint8Array;
  customMetadata?: Record<string, string>;
}

/** Puts files where a service started on the folder `state` finds them. */
export async function fillBucket(state: string, files: readonly BucketFile[]): Promise<void> {
  const proxy = await getPlatformProxy<{ MODELS: R2Bucket }>({
    configPath: join(root, "wrangler.onnx.toml"),
    persist: { path: join(state, "v3") },
  });
  try {
    for (const { key, content, customMetadata } of files)
      await proxy.env.MODELS.put(key, content, { customMetadata });
  } finally {
    await proxy.dispose();
  }
}
