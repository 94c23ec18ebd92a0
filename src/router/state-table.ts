/** Values by name in the table `state`, as JSON. */
export class StateTable<Kept> {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  get<Name extends keyof Kept & string, Otherwise>(
    name: Name,
    otherwise: Otherwise,
  ): Kept[Name] | Otherwise {
    const row = this.#sql.exec("SELECT value FROM state WHERE name = ?", name).toArray()[0];
    return row === undefined ? otherwise : (JSON.parse(String(row.value)) as Kept[Name]);
  }

  put<Name extends keyof Kept & string>(name: Name, value: Kept[Name]): void {
    const put = "INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)";
    this.#sql.exec(put, name, JSON.stringify(value));
  }
}
