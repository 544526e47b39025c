// Encrypts and hashes a file off the main thread, and gives chunks again for sending.
import { fromHex } from '@/lib/bytes';
import { chunkOf, importContentKey, seal } from './sealing';

export type SealTask =
  | { id: number; kind: 'seal'; file: Blob; key: string; fileId: string }
  | { id: number; kind: 'chunk'; file: Blob; key: string; fileId: string; index: number };

export type SealNews =
  | { id: number; kind: 'progress'; bytes: number }
  | { id: number; kind: 'done'; result: unknown }
  | { id: number; kind: 'failed'; message: string };

const post = (news: SealNews, transfer: Transferable[] = []): void => self.postMessage(news, { transfer });

async function work(task: SealTask): Promise<void> {
  try {
    const [key, fileId] = [fromHex(task.key), fromHex(task.fileId)];
    if (task.kind === 'seal') {
      const result = await seal(task.file, key, fileId, (bytes) => post({ id: task.id, kind: 'progress', bytes }));
      post({ id: task.id, kind: 'done', result });
    } else {
      const chunk = await chunkOf(task.file, await importContentKey(key), fileId, task.index);
      post({ id: task.id, kind: 'done', result: chunk }, [chunk.buffer]);
    }
  } catch (error) {
    post({ id: task.id, kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

self.onmessage = (event: MessageEvent<SealTask>) => void work(event.data);
