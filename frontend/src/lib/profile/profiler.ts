// The page's handle on the profiling worker.
import type { Profile } from '@/lib/api/types';
import { BadCsv } from './profile';
import type { ProfileNews } from './profile.worker';

/** Rejects with BadCsv, or with the signal's reason. */
export function profileCsv(file: File, onProgress: (bytes: number) => void, signal: AbortSignal): Promise<Profile> {
  const worker = new Worker(new URL('./profile.worker.ts', import.meta.url), { type: 'module' });
  return new Promise<Profile>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    worker.onmessage = (event: MessageEvent<ProfileNews>) => {
      const news = event.data;
      if (news.kind === 'progress') onProgress(news.bytes);
      else if (news.kind === 'done') resolve(news.profile);
      else reject(new BadCsv(news.message));
    };
    worker.onerror = () => reject(new BadCsv('The browser could not read this file.'));
    worker.postMessage(file);
  }).finally(() => worker.terminate());
}
