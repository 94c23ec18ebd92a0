/** The codebooks of archived vectors. Without its codebook an archived vector is lost, so each is
 *  stored twice, under its own checksum. A lost vector is zeros, which have the cosine 0 with every
 *  query: its passage is found by its terms, and everything else goes on. */
import { Codebook } from "../../index/pq.ts";
import type { QuantizedVector } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import { ARCHIVE_PART_WIDTH } from "../limits.ts";
import { bytesOf, ownBuffer, vectorFrom } from "./sql.ts";
import { xxh32 } from "./xxh32.ts";

const COPIES = [0, 1];

/** What a passage has for a codebook whose vector is not archived. */
export const NO_CODEBOOK = 0;

/** What a passage has for a codebook that was copied when its vector was lost already. */
export const LOST_CODEBOOK = -1;

/** A codebook's id is a checksum of its bytes: the same one in every object, and a damaged one is
 *  found out. */
const idOf = (bytes: Uint8Array): number => {
  const id = xxh32(bytes) | 0;
  return id === NO_CODEBOOK || id === LOST_CODEBOOK ? 1 : id;
};

export class CodebookTable {
  readonly #sql: SqlStorage;
  /** Those that were read; a shard has one, or two where a copy brought another. Null: of no copy
   *  that is whole. */
  readonly #read = new Map<number, Codebook | null>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Stores a codebook; its id. One that is there and whole stays. */
  put(bytes: Uint8Array): number {
    const id = idOf(bytes);
    if (this.#whole(id).length === 0) this.#write(id, bytes);
    return id;
  }

  #write(id: number, bytes: Uint8Array): void {
    const insert = "INSERT OR REPLACE INTO codebooks (id, copy, bytes) VALUES (?, ?, ?)";
    for (const copy of COPIES) this.#sql.exec(insert, id, copy, ownBuffer(bytes));
    this.#read.delete(id);
  }

  /** The copies that are not damaged. */
  #whole(id: number): Uint8Array[] {
    const select = "SELECT bytes FROM codebooks WHERE id = ? ORDER BY copy";
    const copies = this.#sql.exec(select, id).toArray();
    return copies.map(({ bytes }) => bytesOf(bytes!)).filter((bytes) => idOf(bytes) === id);
  }

  /** The stored bytes; a damaged copy is made anew from the other. Throws `internal` where neither
   *  is whole. */
  bytes(id: number): Uint8Array {
    const whole = this.#whole(id);
    if (whole.length === 0)
      throw new ServiceError("internal", `both copies of codebook ${id} are damaged`);
    if (whole.length < COPIES.length) {
      console.error(JSON.stringify({ event: "codebook_repaired", codebook: id }));
      this.#write(id, whole[0]!);
    }
    return whole[0]!;
  }

  /** Null where it is damaged, or lost: what was archived by it cannot be read. */
  get(id: number): Codebook | null {
    if (id === LOST_CODEBOOK) return null;
    let codebook = this.#read.get(id);
    if (codebook === undefined) {
      codebook = this.#load(id);
      this.#read.set(id, codebook);
    }
    return codebook;
  }

  #load(id: number): Codebook | null {
    try {
      return Codebook.read(this.bytes(id));
    } catch (error) {
      console.error(JSON.stringify({ event: "codebook_damaged", message: String(error) }));
      return null;
    }
  }

  /** Whether vectors with this for a codebook are lost. */
  isLost(codebook: number): boolean {
    return codebook !== NO_CODEBOOK && this.get(codebook) === null;
  }

  /** The vector that a passage's row holds: as it came, as its codebook decodes it, or zeros. */
  vector(blob: SqlStorageValue, codebook: SqlStorageValue): QuantizedVector {
    const id = Number(codebook);
    if (id === NO_CODEBOOK) return vectorFrom(blob);
    const row = bytesOf(blob);
    const lost = () => ({ qs: new Int8Array(row.length * ARCHIVE_PART_WIDTH), scale: 0 });
    return this.get(id)?.decode(row) ?? lost();
  }
}
