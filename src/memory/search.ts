/** Search over a memory object's index: which passages, in what order, and why. */
import type { TermScore } from "../../index/bm25.ts";
import { COSINE_WEIGHT, fuseConvex, maxOf } from "../../index/fuse.ts";
import { bestOf, type Scored, type ScoreList } from "../../index/top-k.ts";
import { ServiceError } from "../errors.ts";
import type { NamedTerm, Resident } from "./resident.ts";
import type { MemoryStore } from "./store.ts";
import type { HitExplanation, SearchHit, SearchRequest } from "./types.ts";

/** A ranked unit: a passage, or a document where BM25 counts those. */
interface Ranked extends Scored {
  bm25: number | null;
  cosine: number | null;
}

/** Both lists, by unit; null where the mode does not use one. */
interface Lists {
  bm25: ScoreList | null;
  cosine: ScoreList | null;
  /** Of each document, the passage with the best cosine; empty where passages are the units. */
  closest: ReadonlyMap<number, number>;
}

/** The best k hits, best first. A filter (`allowed` holds the rows of documents that pass; null:
 *  all) applies before anything is ranked. With bm25_unit "document" a document is found once, by
 *  its best passage. Throws `invalid_request` for a vector of the wrong size. */
export function search(
  store: MemoryStore,
  resident: Resident,
  request: SearchRequest,
  allowed: ReadonlySet<number> | null,
): SearchHit[] {
  const query = resident.queryTerms(request.query);
  const lists = scoreAll(resident, request, query, allowed);
  const ranked = rank(lists, request);
  const explain = request.explain ? explainer(resident, lists, query) : null;
  return ranked.map((unit) => {
    const passage = passageOf(store, resident, lists, query, unit.id);
    const { seq, ...shown } = store.shown(passage);
    const hit: SearchHit = {
      ...shown,
      passage_id: `${shown.document_id}#${seq}`,
      score: unit.score,
      bm25: unit.bm25,
      cosine: unit.cosine,
    };
    return explain === null ? hit : { ...hit, explain: explain(unit) };
  });
}

function scoreAll(
  resident: Resident,
  { mode, vector }: SearchRequest,
  query: readonly NamedTerm[],
  allowed: ReadonlySet<number> | null,
): Lists {
  const byDocument = resident.options.bm25_unit === "document";
  const allowPassage = (row: number) => allowed!.has(resident.documentOf(row));
  const lists: Lists = { bm25: null, cosine: null, closest: new Map() };
  if (mode !== "vector") {
    const allowDocument = (row: number) => allowed!.has(row);
    const allow = byDocument ? allowDocument : allowPassage;
    lists.bm25 = resident.bm25.scores(query, allowed === null ? undefined : allow);
  }
  if (mode === "bm25") return lists;
  if (vector === null)
    throw new ServiceError("invalid_request", `mode ${mode} needs the query's embedding`);
  if (resident.passages === 0) return { ...lists, cosine: new Map() };
  resident.reserve(vector.length, 0);
  const cosine = resident.vectors!.scores(vector, allowed === null ? undefined : allowPassage);
  return { ...lists, ...(byDocument ? closestOf(resident, cosine) : { cosine }) };
}

/** The best cosine of each document's passages, and which passage has it; a tie goes to the first
 *  stored. */
function closestOf(resident: Resident, passages: ScoreList) {
  const cosine = new Map<number, number>();
  const closest = new Map<number, number>();
  passages.forEach((score, passage) => {
    const document = resident.documentOf(passage);
    const best = cosine.get(document) ?? Number.NEGATIVE_INFINITY;
    if (score < best || (score === best && closest.get(document)! < passage)) return;
    cosine.set(document, score);
    closest.set(document, passage);
  });
  return { cosine, closest };
}

function rank({ bm25, cosine }: Lists, { k }: SearchRequest): Ranked[] {
  if (bm25 !== null && cosine !== null) return fuseConvex(bm25, cosine, k);
  return bestOf((bm25 ?? cosine)!, k).map(({ id, score }) => ({
    id,
    score,
    bm25: bm25 === null ? null : score,
    cosine: cosine === null ? null : score,
  }));
}

function passageOf(
  store: MemoryStore,
  resident: Resident,
  lists: Lists,
  query: readonly NamedTerm[],
  unit: number,
): number {
  if (resident.options.bm25_unit === "passage") return unit;
  return lists.closest.get(unit) ?? resident.bestPassage(store, unit, query);
}

/** What to say of a hit: each term's share of its BM25 score, its rank in each list, and the
 *  formula with its numbers. */
function explainer(
  resident: Resident,
  lists: Lists,
  query: readonly NamedTerm[],
): (unit: Ranked) => HitExplanation {
  const termOf = new Map(query.map(({ id, term }) => [id, term]));
  const bm25Rank = rankOf(lists.bm25);
  const vectorRank = rankOf(lists.cosine);
  const fusion = formula(lists);
  return ({ id }) => {
    const shares: TermScore[] = lists.bm25 === null ? [] : resident.bm25.explain(id, query);
    return {
      bm25_terms: shares.map(({ id, ...share }) => ({ term: termOf.get(id)!, ...share })),
      bm25_rank: bm25Rank(id),
      vector_rank: vectorRank(id),
      fusion,
    };
  };
}

/** The rank of a unit in a list, from 1; null where the list lacks it. */
function rankOf(list: ScoreList | null): (unit: number) => number | null {
  if (list === null) return () => null;
  const sorted: Scored[] = [];
  list.forEach((score, id) => {
    sorted.push({ id, score });
  });
  sorted.sort((a, b) => b.score - a.score || a.id - b.id);
  const ranks = new Map(sorted.map(({ id }, i) => [id, i + 1]));
  return (unit) => ranks.get(unit) ?? null;
}

function formula({ bm25, cosine }: Lists): string {
  if (cosine === null) return "bm25";
  if (bm25 === null) return "cosine";
  const bm25Weight = (1 - COSINE_WEIGHT).toFixed(2);
  const cosineShare = `${COSINE_WEIGHT} * (cosine + 1) / (${maxOf(cosine, -1).toFixed(4)} + 1)`;
  return `${cosineShare} + ${bm25Weight} * bm25 / ${maxOf(bm25, 0).toFixed(4)}`;
}
