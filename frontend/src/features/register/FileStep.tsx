// Dropping a CSV, and profiling it in a worker.
import { Alert, Button, Group, Progress, Text } from '@mantine/core';
import { useEffect, useRef, useState, type DragEvent } from 'react';
import { errorText } from '@/components/states';
import type { Profile } from '@/lib/api/types';
import { formatBytes } from '@/lib/format';
import { profileCsv } from '@/lib/profile/profiler';
import css from './register.module.css';

export function FileStep({ onProfile }: { onProfile: (file: File, profile: Profile) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const abort = useRef<AbortController | null>(null);
  const [reading, setReading] = useState<{ file: File; bytes: number } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [over, setOver] = useState(false);
  useEffect(() => () => abort.current?.abort(), []);

  async function read(file: File | undefined) {
    if (!file) return;
    abort.current?.abort();
    abort.current = new AbortController();
    const { signal } = abort.current;
    setError(null);
    setReading({ file, bytes: 0 });
    try {
      const profile = await profileCsv(file, (bytes) => setReading({ file, bytes }), signal);
      onProfile(file, profile);
    } catch (reason) {
      if (!signal.aborted) setError(reason);
    } finally {
      setReading(null);
    }
  }
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void read(event.dataTransfer.files[0]);
  };

  return (
    <>
      {error !== null && (
        <Alert color="red" variant="light" role="alert" title="This file cannot be registered as it is" mb="md">
          {errorText(error)}
        </Alert>
      )}
      <div className={css.drop} data-over={over} role="group" aria-label="Drop a file" onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={drop}>
        {reading ? (
          <>
            <Text>Reading {reading.file.name} in this browser …</Text>
            <Progress w="100%" maw={420} value={(100 * reading.bytes) / reading.file.size} aria-label="Reading" />
            <Text size="sm" c="dimmed">
              {formatBytes(reading.bytes)} of {formatBytes(reading.file.size)}
            </Text>
            <Button variant="default" size="xs" onClick={() => abort.current?.abort(new Error('stopped'))}>
              Stop
            </Button>
          </>
        ) : (
          <>
            <Text fw={600}>Drop a CSV here</Text>
            <Text size="sm" c="dimmed">
              A header line, then one row a line. It is read here and sent nowhere.
            </Text>
            <Group>
              <Button variant="default" onClick={() => input.current?.click()}>
                Choose a file
              </Button>
            </Group>
            <input ref={input} type="file" accept=".csv,text/csv" hidden aria-label="CSV file" onChange={(event) => void read(event.currentTarget.files?.[0])} />
          </>
        )}
      </div>
    </>
  );
}
