/** The codebooks of archived vectors. Without its codebook an archived vector is lost, so each is
 *  stored twice, under its own checksum. */
import { Codebook } from "../../index/pq.ts";
import type { QuantizedVector } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import { bytesOf, ownBuffer, vectorFrom } from "./sql.ts";
import { xxh32 } from "./xxh32.ts";

const COPIES = [0, 1];

/** What a passage has for a codebook whose vector is not archived. */
export const NO_CODEBOOK = 0;

/** A codebook's id is a checksum of its bytes: the same one in every object, and a damaged one is
 *  found out. */
const idOf = (bytes: Uint8Array): number => xxh32(bytes) | 0 || 1;

export class CodebookTable {
  readonly #sql: SqlStorage;
  /** Those that were read; a shard has one, or two where a copy brought another. */
  readonly #read = new Map<number, Codebook>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Stores a codebook; its id. One that is there already stays. */
  put(bytes: Uint8Array): number {
    const id = idOf(bytes);
    const select = "SELECT 1 FROM codebooks WHERE id = ?";
    if (this.#sql.exec(select, id).toArray().length === 0) this.#write(id, bytes);
    return id;
  }

  #write(id: number, bytes: Uint8Array): void {
    const insert = "INSERT OR REPLACE INTO codebooks (id, copy, bytes) VALUES (?, ?, ?)";
    for (const copy of COPIES) this.#sql.exec(insert, id, copy, ownBuffer(bytes));
  }

  /** The stored bytes; a damaged copy is made anew from the other. Throws `internal` where neither
   *  is whole: what is archived by it cannot be read then, and a snapshot must be restored. */
  bytes(id: number): Uint8Array {
    const select = "SELECT bytes FROM codebooks WHERE id = ? ORDER BY copy";
    const copies = this.#sql
      .exec(select, id)
      .toArray()
      .map(({ bytes }) => bytesOf(bytes!));
    const whole = copies.filter((bytes) => idOf(bytes) === id);
    if (whole.length === 0)
      throw new ServiceError(
        "internal",
        `both copies of codebook ${id} are damaged: archived vectors cannot be read`,
      );
    if (whole.length < COPIES.length) {
      console.error(JSON.stringify({ event: "codebook_repaired", codebook: id }));
      this.#write(id, whole[0]!);
    }
    return whole[0]!;
  }

  /** Throws `internal` where it is damaged. */
  get(id: number): Codebook {
    let codebook = this.#read.get(id);
    if (codebook === undefined) {
      codebook = Codebook.read(this.bytes(id));
      this.#read.set(id, codebook);
    }
    return codebook;
  }

  /** The vector that a passage's row holds: as it came, or as its codebook decodes it. Throws
   *  `internal` where that is damaged. */
  vector(blob: SqlStorageValue, codebook: SqlStorageValue): QuantizedVector {
    const id = Number(codebook);
    return id === NO_CODEBOOK ? vectorFrom(blob) : this.get(id).decode(bytesOf(blob));
  }
}
