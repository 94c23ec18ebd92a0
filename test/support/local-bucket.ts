/** The models' bucket of a local run, filled before the service starts on its state. */
import { join } from "node:path";
import { getPlatformProxy } from "wrangler";

const root = join(import.meta.dirname, "../..");

/** Puts files, by key, where a service started on the folder `state` finds them. */
export async function fillBucket(
  state: string,
  files: Record<string, string | Uint8Array>,
): Promise<void> {
  const proxy = await getPlatformProxy<{ MODELS: R2Bucket }>({
    configPath: join(root, "wrangler.onnx.toml"),
    persist: { path: join(state, "v3") },
  });
  try {
    for (const [key, content] of Object.entries(files)) await proxy.env.MODELS.put(key, content);
  } finally {
    await proxy.dispose();
  }
}
