// Text of any length in SQLite inside a Durable Object, where no value may be over 2 MB: a long one is
// kept in parts, and its column holds a reference to them. What is kept must not begin with "#".

/** Characters of a part: at most three bytes each in UTF-8. */
const PART = 600_000;

/**
 * @param {import("./sqlite-store.js").Sql} sql
 */
export function longTexts(sql) {
  sql.exec(`CREATE TABLE IF NOT EXISTS parts (
    text INTEGER NOT NULL, part INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (text, part)
  ) WITHOUT ROWID`);

  return {
    /**
     * @param {string} text
     * @returns {string} what the column is to hold
     */
    keep(text) {
      if (text.length <= PART) return text;
      const { id } = sql.exec("SELECT coalesce(max(text), 0) + 1 AS id FROM parts").one();
      let part = 0;
      for (let at = 0; at < text.length; part += 1) {
        const end = wholeCharacters(text, at + PART);
        sql.exec("INSERT INTO parts VALUES (?, ?, ?)", id, part, text.slice(at, end));
        at = end;
      }
      return `#${id}`;
    },

    /**
     * @param {string} kept
     * @returns {string}
     */
    read(kept) {
      if (!kept.startsWith("#")) return kept;
      const id = Number(kept.slice(1));
      return sql
        .exec("SELECT content FROM parts WHERE text = ? ORDER BY part", id)
        .toArray()
        .map(({ content }) => content)
        .join("");
    },

    /** @param {string} kept what nothing will ask for any more */
    forget(kept) {
      if (kept.startsWith("#")) {
        sql.exec("DELETE FROM parts WHERE text = ?", Number(kept.slice(1)));
      }
    },
  };
}

/**
 * A place to cut at: UTF-8 has no half of a surrogate pair.
 * @param {string} text
 * @param {number} at
 */
function wholeCharacters(text, at) {
  const isLow = (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  return isLow ? at - 1 : at;
}
