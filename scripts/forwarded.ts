/** Which of the environment's variables `npm start` hands to the Worker, and how. */

/** All that the Worker reads but BRINK_LOCAL, which a local service sets itself. */
export const FORWARDED = [
  ...["BACKEND_URL", "BACKEND_KEY", "BACKEND_MODEL", "BACKENDS"],
  ...["BACKEND_PRICE_INPUT_PER_MTOK", "BACKEND_PRICE_OUTPUT_PER_MTOK"],
  ...["EDGE_PRICE_INPUT_PER_MTOK", "EDGE_PRICE_OUTPUT_PER_MTOK"],
  ...["BRINK_ADMIN_KEY_SHA256", "BRINK_ALLOWED_ORIGINS", "BRINK_PRELOAD", "LEDGER_UNREACHABLE"],
  ...["BRINK_GENERATOR_MODEL", "BRINK_GENERATOR_CONTEXT", "BRINK_ISOLATE_MEMORY_MB"],
  ...["BRINK_TRACE_SAMPLE", "BRINK_TRACE_TEXT", "BRINK_LOG", "BRINK_LOG_TEXT"],
  ...["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
  ...["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME"],
];

/** Those that are set, with the secrets that BACKENDS names: whether it is well formed is the
 *  service's to say. */
export function forwardedFrom(
  environment: Record<string, string | undefined>,
): Record<string, string> {
  const secrets = Array.from(
    (environment.BACKENDS ?? "").matchAll(/"key_secret"\s*:\s*"([A-Z][A-Z0-9_]*)"/g),
    ([, name]) => name!,
  );
  const set: Record<string, string> = {};
  for (const name of [...FORWARDED, ...secrets])
    if (environment[name]) set[name] = environment[name];
  return set;
}

const SWITCH: ReadonlyMap<string, boolean> = new Map([
  ...["1", "true", "yes", "on"].map((word) => [word, true] as const),
  ...["", "0", "false", "no", "off"].map((word) => [word, false] as const),
]);

/** Whether a variable that is on or off is on; false where it is not set. Throws Error for a value
 *  that says neither. */
export function readSwitch(name: string, value: string | undefined): boolean {
  const on = SWITCH.get((value ?? "").trim().toLowerCase());
  if (on === undefined) throw new Error(`${name} is 1 or 0, not ${JSON.stringify(value)}`);
  return on;
}

/** The lines of a file that wrangler reads as these variables. Its reader puts other variables in
 *  for `$NAME`, within quotes too, so that a key with a dollar in it would be another. Throws Error
 *  for what no line can hold. */
export function toEnvFile(variables: Record<string, string>): string {
  const lines = Object.entries(variables).map(([name, value]) => {
    if (/['\n\r]|\\$/.test(value))
      throw new Error(`${name} must hold no quote and no line break, nor end with a backslash`);
    return `${name}='${value.replaceAll("$", "\\$")}'\n`;
  });
  return lines.join("");
}
