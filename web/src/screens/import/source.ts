import type { Refusal } from '$/api';
import type { Review } from '$/lib/import';

/** One text or file that is to be imported. */
export interface Source {
  /** Of the file; empty: it was pasted. */
  name: string;
  body: Blob | string;
  kind: 'text' | 'stix' | 'misp';
  review?: Review;
  /** Why nobody can say what it contains. */
  why?: Refusal;
  /** It is to be imported. */
  use: boolean;
}
