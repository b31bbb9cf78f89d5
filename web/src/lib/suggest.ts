/** What stands before the word that is being typed at the end of a query, and that word. Values of filters and words in quotes are not completed. */
export function lastWord(q: string): { before: string; word: string } | undefined {
  if ((q.match(/"/g)?.length ?? 0) % 2) return undefined;
  const m = /^(.*?)([\p{L}\p{N}][\p{L}\p{N}._-]+)$/su.exec(q);
  const before = m?.[1] ?? '';
  return m?.[2] && (before === '' || /\s-?$|^-$/.test(before)) ? { before, word: m[2] } : undefined;
}
