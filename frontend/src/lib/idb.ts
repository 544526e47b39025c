// The page's own store in the browser (IndexedDB): key-value stores that take what JSON cannot hold, such as keys nobody can export.

const NAME = 'commonweight';
const VERSION = 1;
const STORES = ['identities', 'wrapping_keys', 'content_keys', 'drafts'] as const;
export type StoreName = (typeof STORES)[number];

let opened: Promise<IDBDatabase> | null = null;

/** Rejects with StorageForbidden in a private window that forbids storage. */
function database(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      for (const store of STORES) if (!request.result.objectStoreNames.contains(store)) request.result.createObjectStore(store);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new StorageForbidden());
    request.onblocked = () => reject(new StorageForbidden());
  }).catch((error: unknown) => {
    opened = null;
    throw error;
  });
  return opened;
}

export class StorageForbidden extends Error {
  override readonly name = 'StorageForbidden';
  constructor() {
    super('This browser does not let the page keep anything (a private window?). Keys cannot be kept here: use a normal window.');
  }
}

async function inStore<T>(store: StoreName, mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await database()).transaction(store, mode);
  const request = act(transaction.objectStore(store));
  return new Promise<T>((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error ?? new StorageForbidden());
    transaction.onabort = () => reject(transaction.error ?? new StorageForbidden());
  });
}

export const keep = async (store: StoreName, key: string, value: unknown): Promise<void> => {
  await inStore(store, 'readwrite', (s) => s.put(value, key));
};
export const kept = async <T>(store: StoreName, key: string): Promise<T | null> =>
  ((await inStore(store, 'readonly', (s) => s.get(key))) as T | undefined) ?? null;
export const allKept = async <T>(store: StoreName): Promise<T[]> => (await inStore(store, 'readonly', (s) => s.getAll())) as T[];
export const forget = async (store: StoreName, key: string): Promise<void> => {
  await inStore(store, 'readwrite', (s) => s.delete(key));
};
