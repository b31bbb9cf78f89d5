/** The day of a time in UTC, as a date field has it. */
export function dayOf(d: Date): string {
  return d.toISOString().slice(0, 10);
}
