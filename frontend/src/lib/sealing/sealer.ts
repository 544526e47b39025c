// The page's handle on the sealing worker.
import { toHex, type Bytes } from '@/lib/bytes';
import { SealBroken, type Sealed } from './sealing';
import type { SealNews, SealTask } from './seal.worker';

type TaskWithoutId = SealTask extends infer T ? (T extends SealTask ? Omit<T, 'id'> : never) : never;

export interface Sealer {
  seal(file: Blob, key: Bytes, fileId: Bytes, onProgress: (bytes: number) => void): Promise<Sealed>;
  chunk(file: Blob, key: Bytes, fileId: Bytes, index: number): Promise<Bytes>;
  /** Ends the worker: whatever is under way is rejected. */
  close(): void;
}

export function openSealer(): Sealer {
  const worker = new Worker(new URL('./seal.worker.ts', import.meta.url), { type: 'module' });
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void; onProgress?: (bytes: number) => void }>();
  let last = 0;

  worker.onmessage = (event: MessageEvent<SealNews>) => {
    const news = event.data;
    const task = open.get(news.id);
    if (!task) return;
    if (news.kind === 'progress') return task.onProgress?.(news.bytes);
    open.delete(news.id);
    if (news.kind === 'done') task.resolve(news.result);
    else task.reject(new SealBroken(news.message));
  };
  worker.onerror = () => {
    for (const task of open.values()) task.reject(new SealBroken('The browser stopped the encryption. Reload the page and choose the file again.'));
    open.clear();
  };

  function run<T>(task: TaskWithoutId, onProgress?: (bytes: number) => void): Promise<T> {
    last += 1;
    const id = last;
    return new Promise<T>((resolve, reject) => {
      open.set(id, { resolve: resolve as (value: unknown) => void, reject, ...(onProgress ? { onProgress } : {}) });
      worker.postMessage({ ...task, id });
    });
  }

  return {
    seal: (file, key, fileId, onProgress) => run<Sealed>({ kind: 'seal', file, key: toHex(key), fileId: toHex(fileId) }, onProgress),
    chunk: (file, key, fileId, index) => run<Bytes>({ kind: 'chunk', file, key: toHex(key), fileId: toHex(fileId), index }),
    close: () => {
      worker.terminate();
      for (const task of open.values()) task.reject(new SealBroken('Stopped.'));
      open.clear();
    },
  };
}
