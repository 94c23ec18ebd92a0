/** The parts of the HTTP contract that the console reads; /openapi.json has all of it.
 *
 * @typedef {object} Citation
 * @property {number} mark
 * @property {string} document_id
 * @property {string} passage_id
 * @property {string | null} title
 * @property {string} quote An exact substring of the document's text.
 * @property {number} score
 * @property {true} [note] It is a note, which no document is.
 *
 * @typedef {object} BrinkReport
 * @property {"edge" | "backend"} route
 * @property {"backend"} [wanted]
 * @property {string} engine
 * @property {string | null} answer
 * @property {number | null} difficulty
 * @property {string} reason
 * @property {Citation[]} citations
 * @property {Record<string, number>} timings_ms
 * @property {Record<string, number>} [features]
 *
 * @typedef {object} Note
 * @property {string} id
 * @property {string} question
 * @property {string} answer
 * @property {"active" | "pending"} state
 * @property {"rating" | "correction" | "agreement" | "admin"} learned_by
 * @property {string} trace_id
 * @property {string} engine
 * @property {{ document_id: string }[]} sources
 * @property {number} seen
 * @property {number} learned_at Unix time in ms.
 * @property {number} expires_at Unix time in ms.
 * @property {boolean} stale
 *
 * @typedef {object} CachePolicy
 * @property {"off" | "asked" | "repeatable" | "all"} exact
 * @property {boolean} semantic
 * @property {number} cosine_min
 * @property {number} ttl_s
 *
 * @typedef {object} CacheState
 * @property {CachePolicy} policy
 * @property {(keyof CachePolicy)[]} own Fields that are the namespace's own.
 * @property {number} answers
 * @property {number} questions
 * @property {number} bytes
 *
 * @typedef {object} Namespace
 * @property {string} name
 * @property {"passage" | "document"} bm25_unit
 * @property {number} k1
 * @property {number} b
 * @property {number} created_at Unix time in ms.
 *
 * @typedef {object} Stats
 * @property {number} documents
 * @property {number} passages
 * @property {number} terms
 * @property {number} avgdl
 * @property {number} sqlite_bytes
 * @property {number} resident_bytes
 * @property {unknown[]} shards
 * @property {{ kind: "split" | "snapshot" | "restore", documents: number, error: string | null }
 *   | null} work What runs.
 *
 * @typedef {object} DocumentSummary
 * @property {string} id
 * @property {string | null} title
 * @property {Record<string, unknown>} metadata
 * @property {"text/plain" | "text/markdown" | "text/html"} content_type
 * @property {number} time When what it tells happened, Unix time in ms.
 * @property {number | null} expires_at Unix time in ms.
 * @property {number} version From 1; every change adds 1.
 * @property {number} passages
 * @property {boolean} brought Whether it came with its embedding.
 * @property {number} updated_at Unix time in ms.
 *
 * @typedef {DocumentSummary & { text: string }} StoredDocument
 *
 * @typedef {object} TermShare
 * @property {string} term
 * @property {number} df
 * @property {number} idf
 * @property {number} tf
 * @property {number} contribution
 *
 * @typedef {object} Explanation
 * @property {number | null} bm25
 * @property {number | null} cosine
 * @property {number | null} bm25_rank
 * @property {number | null} vector_rank
 * @property {string} fusion Arithmetic that gives `fused`.
 * @property {number} fused
 * @property {TermShare[] | null} bm25_terms Null: no words were looked for.
 * @property {{ age_days: number, half_life_days: number, factor: number } | null} recency
 * @property {{ rank: number } | null} diversity
 * @property {{ model: string, rank: number }} [rerank]
 *
 * @typedef {object} Hit
 * @property {string} document_id
 * @property {string} passage_id
 * @property {number} score
 * @property {string} text
 * @property {string | null} title
 * @property {Record<string, unknown>} metadata
 * @property {Explanation} [explain]
 *
 * @typedef {object} IngestOutcome
 * @property {number} upserted
 * @property {number} unchanged
 * @property {number} passages
 * @property {{ index: number, code: string, message: string }[]} errors
 * @property {{ version: number }[]} [documents] What is stored now; not for NDJSON.
 *
 * @typedef {object} Target One of the three is there.
 * @property {number} [max_risk]
 * @property {number} [confidence] Of max_risk.
 * @property {number} [backend_share]
 * @property {number} [budget_usd_per_1k]
 *
 * @typedef {object} Expected
 * @property {number} coverage
 * @property {number} risk
 * @property {number} risk_upper
 * @property {number} backend_share
 * @property {number | null} usd_per_1k
 *
 * @typedef {{ target: Target, threshold: number, expected: Expected }} RouterChoice
 *
 * @typedef {object} RouterCurves
 * @property {(Expected & { threshold: number, accuracy: number })[]} points
 * @property {{ answers: number, said: number,
 *   wrong: { value: number, low: number, high: number } }[]} reliability
 *
 * @typedef {object} RouterSettings
 * @property {number} shadow_rate The share of questions compared.
 * @property {boolean} keep_text
 * @property {boolean} auto_calibrate
 *
 * @typedef {RouterChoice & RouterSettings & RouterRest} RouterState
 *
 * @typedef {object} RouterRest
 * @property {string} weights_version
 * @property {string} version
 * @property {{ source: "shipped" | "own", labels: number }} calibration
 * @property {{ alarm: boolean, since: number | null, difficulty: { alarm: boolean },
 *   risk: { alarm: boolean }, feedback: { alarm: boolean } }} drift
 * @property {{ backend: number, feedback: number }} labels
 * @property {{ engine: string, usd_per_1k: number, labels: number, wrong: number,
 *   threshold: number | null }[]} engines
 *
 * @typedef {object} RouterVersion
 * @property {string} version
 * @property {number | null} created_at Unix time in ms; null: it came with the release.
 * @property {string} source
 * @property {string | null} note
 * @property {string} weights_version
 * @property {number} labels
 * @property {boolean} active
 *
 * @typedef {object} Key
 * @property {string} id
 * @property {string | null} name
 * @property {string[]} scopes
 * @property {string[] | null} namespaces That it may read; null: all.
 * @property {string | null} default_namespace
 * @property {number | null} expires_at Unix ms.
 * @property {boolean} disabled
 * @property {number | null} requests_per_minute
 * @property {number | null} tokens_per_minute
 * @property {number | null} budget_usd
 * @property {"day" | "month" | "total"} budget_period
 * @property {{ requests: number, cost_usd: number, last_day: string } | null} usage
 *
 * @typedef {object} TraceSummary
 * @property {string} trace_id
 * @property {number} at Unix time in ms.
 * @property {number} duration_ms
 * @property {string} endpoint
 * @property {number} status
 * @property {string | null} error
 * @property {string} key
 * @property {string | null} namespace
 * @property {number | null} first_token_ms
 * @property {string | null} asked
 * @property {"edge" | "backend" | null} route
 * @property {string | null} engine
 * @property {string | null} model
 * @property {number | null} difficulty
 * @property {string | null} cache
 * @property {{ prompt: number, completion: number } | null} tokens
 * @property {number | null} cost_micro_usd
 *
 * @typedef {object} Span
 * @property {string} span_id
 * @property {string | null} parent_id Null: the request itself.
 * @property {string} name
 * @property {number} start_ms Since the request came.
 * @property {number} duration_ms
 * @property {string | null} error
 * @property {Record<string, string | number | boolean>} attributes
 *
 * @typedef {object} TraceDetails
 * @property {{ reason: string, wanted: "backend" | null, difficulty_before: number | null,
 *   difficulty_prior: number | null, threshold: number, weights_version: string,
 *   contributions: Record<string, number> | null } | null} decision
 * @property {{ document_id: string, passage_id: string }[]} passages
 * @property {string[]} notes
 * @property {{ trace_id: string, span_id: string } | null} parent
 * @property {Span[]} spans In the order in which they began.
 * @property {number} spans_dropped
 * @property {{ question: string, answer: string } | null} texts
 *
 * @typedef {TraceSummary & TraceDetails} Trace
 *
 * @typedef {object} Model
 * @property {string} id
 * @property {string} kind
 */
export {};
