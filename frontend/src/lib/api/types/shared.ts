// What every answer is made of.

export interface Page<T> {
  count: number;
  next: string | null;
  results: T[];
}

/** The block that settled an object: what the "How do we know?" drawer starts from. */
export interface Proof {
  canister: string;
  block: number;
}
