// @ts-check
/**
 * Offsets. Wenju counts Unicode code points; JavaScript strings count UTF-16 units, where 𠮷 or an
 * emoji takes two. Every offset that comes from the server goes through `Offsets`.
 */

/** Converts between the two countings of one text. Offsets past the end are cut to the end. */
export class Offsets {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    /** Code point indexes of the characters that take two units, ascending. @type {number[]} */
    this.wide = [];
    let point = 0;
    for (let unit = 0; unit < text.length; unit += 1, point += 1) {
      if (/** @type {number} */ (text.codePointAt(unit)) > 0xffff) {
        this.wide.push(point);
        unit += 1;
      }
    }
    /** Length in code points. */
    this.length = point;
  }

  /**
   * The UTF-16 index of a code point offset.
   * @param {number} point
   */
  unit(point) {
    const cut = Math.min(Math.max(point, 0), this.length);
    return cut + below(this.wide, cut);
  }

  /**
   * The code point offset of a UTF-16 index; an index inside a surrogate pair counts as its start.
   * @param {number} unit
   */
  point(unit) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.unit(middle) <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * The characters of a half-open range of code points.
   * @param {number} start
   * @param {number} end
   */
  slice(start, end) {
    return this.text.slice(this.unit(start), this.unit(end));
  }
}

/**
 * How many numbers of an ascending list are smaller than `limit`.
 * @param {number[]} sorted
 * @param {number} limit
 */
function below(sorted, limit) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Cuts a block of an article into runs for display. The runs' texts put together are exactly the
 * block's text.
 *
 * @param {Offsets} offsets of the article's text
 * @param {{start: number, end: number, joints?: {at: number}[]}} block
 * @param {{start: number, end: number, current?: boolean}[]} marks cited ranges of the article
 * @returns {{text: string, mark: any | null, joint: any | null}[]} in order; `mark` is the cited
 *   range a run stands in (the current one wins), `joint` a column break closed right before it
 */
export function runs(offsets, block, marks) {
  const joints = block.joints ?? [];
  const cuts = new Set([block.start, block.end]);
  for (const at of [...joints.map((j) => j.at), ...marks.flatMap((m) => [m.start, m.end])]) {
    if (at > block.start && at < block.end) cuts.add(at);
  }
  const sorted = [...cuts].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((start, i) => {
    const inside = marks.filter((m) => m.start <= start && sorted[i + 1] <= m.end);
    return {
      text: offsets.slice(start, sorted[i + 1]),
      mark: inside.find((m) => m.current) ?? inside[0] ?? null,
      joint: joints.find((j) => j.at === start) ?? null,
    };
  });
}

/**
 * Where the cited words stand now. An article that was changed may have them elsewhere, or not.
 * @param {Offsets} offsets of the article's text
 * @param {{citations?: any[], current?: any}} place
 * @returns {{marks: {start: number, end: number, current: boolean}[], moved: boolean}} `moved`:
 *   the current one is nowhere to be found
 */
export function findMarks(offsets, place) {
  const cited = [...(place.citations ?? [])];
  if (place.current && !cited.includes(place.current)) cited.push(place.current);
  const marks = [];
  let moved = false;
  for (const c of cited) {
    const current = c === place.current;
    if (offsets.slice(c.start_char, c.end_char) === c.quote) {
      marks.push({ start: c.start_char, end: c.end_char, current });
      continue;
    }
    const unit = offsets.text.indexOf(c.quote);
    if (unit >= 0)
      marks.push({
        start: offsets.point(unit),
        end: offsets.point(unit + c.quote.length),
        current,
      });
    if (current) moved = unit < 0;
  }
  return { marks, moved };
}

/**
 * Cuts an answer into plain text, sentences with a proof, and the places of their chips.
 *
 * A "[1]" becomes a chip only right behind a sentence that citation 1 supports: the same
 * characters inside a quoted text stay text. A citation whose marker is missing gets its chip
 * behind its sentence, so that none is lost.
 *
 * @param {string} text the answer
 * @param {{number: number, start: number, end: number}[]} citations
 * @returns {({kind: "text", text: string, citations: any[]} | {kind: "chip", citation: any})[]}
 */
export function segments(text, citations) {
  const offsets = new Offsets(text);
  const markers = findMarkers(offsets, citations);
  const placed = new Set(markers.map((m) => m.citation));
  for (const citation of citations) {
    const at = Math.min(citation.end, offsets.length);
    if (!placed.has(citation)) markers.push({ start: at, end: at, citation });
  }
  markers.sort((a, b) => a.start - b.start || a.end - b.end);
  const cuts = new Set([0, offsets.length]);
  for (const c of citations)
    cuts.add(Math.min(c.start, offsets.length)).add(Math.min(c.end, offsets.length));
  for (const m of markers) cuts.add(m.start).add(m.end);
  const sorted = [...cuts].sort((a, b) => a - b);
  /** @type {any[]} */
  const out = [];
  sorted.forEach((start, i) => {
    for (const m of markers)
      if (m.start === start) out.push({ kind: "chip", citation: m.citation });
    const end = sorted[i + 1];
    if (end === undefined || markers.some((m) => m.start <= start && end <= m.end)) return;
    const covering = citations.filter((c) => c.start <= start && end <= c.end);
    out.push({ kind: "text", text: offsets.slice(start, end), citations: covering });
  });
  return out;
}

/**
 * @param {Offsets} offsets of the answer
 * @param {{number: number, start: number, end: number}[]} citations
 */
function findMarkers(offsets, citations) {
  const found = [];
  const free = new Set(citations);
  for (const match of offsets.text.matchAll(/\[(\d{1,4})\]/g)) {
    const start = offsets.point(match.index);
    const citation = citations.find(
      (c) =>
        free.has(c) &&
        c.number === Number(match[1]) &&
        c.end <= start &&
        /^(\s|\[\d{1,4}\])*$/.test(offsets.slice(c.end, start)),
    );
    if (!citation) continue;
    free.delete(citation);
    found.push({ start, end: start + match[0].length, citation });
  }
  return found;
}
