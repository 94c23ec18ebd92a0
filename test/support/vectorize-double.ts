/** A Vectorize index by its documented contract, strictly: every limit is enforced, and a mutation
 *  is seen only once the test has it processed. Sources: developers.cloudflare.com/vectorize,
 *  platform/limits, reference/client-api and best-practices/insert-vectors; the bound of a deletion
 *  is that of error 40007. */

const ID_BYTES_MAX = 64;
const NAMESPACE_BYTES_MAX = 64;
const UPSERT_MAX = 1_000;
const DELETE_MAX = 100;
const DIMENSIONS_MAX = 1_536;
const METADATA_BYTES_MAX = 10 * 1024;
const TOP_K_DEFAULT = 5;
const TOP_K_MAX = 100;
const TOP_K_WITH_VALUES_MAX = 20;

type Stored = { values: Float32Array; namespace: string | undefined };
type Mutation = { id: string; atMs: number; apply: () => void };

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

export class VectorizeDouble {
  readonly dimensions: number;
  /** What time it is there, Unix ms. */
  nowMs = 1_800_000_000_000;
  /** How often each method was called. */
  readonly calls = { upsert: 0, deleteByIds: 0, query: 0, describe: 0 };
  /** Makes the next mutation fail: before it is logged, or after, when only the reply is lost. */
  failing: "before" | "after" | null = null;
  /** Whether no call is answered. */
  down = false;
  /** Runs between a query's arrival and its reply, once what it finds is settled. */
  duringQuery: (() => Promise<void> | void) | null = null;
  /** Runs between the logging of a deletion and its reply. */
  duringDeletion: (() => Promise<void> | void) | null = null;
  readonly #log: Mutation[] = [];
  readonly #stored = new Map<string, Stored>();
  #processed: Mutation | null = null;
  #made = 0;

  constructor(dimensions: number) {
    if (dimensions > DIMENSIONS_MAX) throw new Error(`at most ${DIMENSIONS_MAX} dimensions`);
    this.dimensions = dimensions;
  }

  get waiting(): number {
    return this.#log.length;
  }

  /** Processes the oldest mutations: all, or so many. */
  process(count = this.#log.length): void {
    for (const mutation of this.#log.splice(0, count)) {
      mutation.apply();
      this.#processed = mutation;
    }
  }

  async upsert(vectors: VectorizeVector[]): Promise<VectorizeAsyncMutation> {
    this.calls.upsert++;
    if (this.down) throw new Error("the index is down");
    if (vectors.length === 0 || vectors.length > UPSERT_MAX)
      throw new Error(`VECTOR_UPSERT_ERROR: ${vectors.length} vectors, of at most ${UPSERT_MAX}`);
    for (const vector of vectors) this.#check(vector);
    const copies = vectors.map(({ id, values, namespace }) => {
      return [id, { values: Float32Array.from(values), namespace }] as const;
    });
    return this.#mutate(() => {
      for (const [id, stored] of copies) this.#stored.set(id, stored);
    });
  }

  async deleteByIds(ids: string[]): Promise<VectorizeAsyncMutation> {
    this.calls.deleteByIds++;
    if (this.down) throw new Error("the index is down");
    if (ids.length === 0 || ids.length > DELETE_MAX)
      throw new Error(
        `VECTOR_DELETE_ERROR (code = 40007): too many ids in payload; max id count is ` +
          `${DELETE_MAX}, got ${ids.length}`,
      );
    const copy = [...ids];
    const reply = this.#mutate(() => {
      for (const id of copy) this.#stored.delete(id);
    });
    await this.duringDeletion?.();
    return reply;
  }

  async query(
    vector: ArrayLike<number>,
    options: VectorizeQueryOptions = {},
  ): Promise<VectorizeMatches> {
    this.calls.query++;
    if (this.down) throw new Error("the index is down");
    const { topK = TOP_K_DEFAULT, namespace, returnValues, returnMetadata } = options;
    const whole = returnValues === true || returnMetadata === true || returnMetadata === "all";
    const most = whole ? TOP_K_WITH_VALUES_MAX : TOP_K_MAX;
    if (!Number.isInteger(topK) || topK < 1 || topK > most)
      throw new Error(`VECTOR_QUERY_ERROR: topK is ${topK}, the limit is ${most}`);
    if (options.filter !== undefined) throw new Error("no metadata index was created");
    const query = Float32Array.from(vector);
    this.#checkValues(query);
    const matches = Array.from(this.#stored)
      .filter(([, stored]) => namespace === undefined || stored.namespace === namespace)
      .map(([id, { values }]) => ({ id, score: cosine(query, values) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK);
    await this.duringQuery?.();
    return { matches, count: matches.length };
  }

  async describe(): Promise<VectorizeIndexInfo> {
    this.calls.describe++;
    if (this.down) throw new Error("the index is down");
    return {
      vectorCount: this.#stored.size,
      dimensions: this.dimensions,
      processedUpToDatetime: this.#processed?.atMs ?? 0,
      // The published type says number; the service sends the mutation's UUID.
      processedUpToMutation: (this.#processed?.id ?? "") as unknown as number,
    };
  }

  #mutate(apply: () => void): VectorizeAsyncMutation {
    const failing = this.failing;
    this.failing = null;
    if (failing === "before") throw new Error("VECTOR_UPSERT_ERROR: internal error");
    this.#made++;
    const id = `00000000-0000-4000-8000-${this.#made.toString(16).padStart(12, "0")}`;
    this.#log.push({ id, atMs: this.nowMs, apply });
    if (failing === "after") throw new Error("network connection lost");
    return { mutationId: id };
  }

  #check({ id, values, namespace, metadata }: VectorizeVector): void {
    const idBytes = bytesOf(id);
    if (idBytes === 0 || idBytes > ID_BYTES_MAX) throw new Error(`an id of ${idBytes} bytes`);
    if (namespace !== undefined && bytesOf(namespace) > NAMESPACE_BYTES_MAX)
      throw new Error(`a namespace of ${bytesOf(namespace)} bytes`);
    if (metadata !== undefined && bytesOf(JSON.stringify(metadata)) > METADATA_BYTES_MAX)
      throw new Error("metadata of more than 10 KiB");
    this.#checkValues(values);
  }

  #checkValues(values: ArrayLike<number>): void {
    if (values.length !== this.dimensions)
      throw new Error(`${values.length} dimensions, the index has ${this.dimensions}`);
    if (!Array.from(values).every(Number.isFinite)) throw new Error("values are finite numbers");
  }
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb);
}
