// Recovery phrases: making one, and coming back with one. The words are used once, to delegate to a session key, and forgotten.
import { Alert, Button, Checkbox, Group, Stack, Text, Textarea } from '@mantine/core';
import { useEffect, useState, type FormEvent } from 'react';
import { Loading, errorText } from '@/components/states';
import { loadChain } from '@/lib/chain/load';
import type { IdentityRecord } from '@/lib/identity/record';
import css from './identity.module.css';

export interface PhraseProps {
  onAdopt: (record: IdentityRecord) => Promise<void>;
  onBack: () => void;
}

function useAdoptPhrase(onAdopt: PhraseProps['onAdopt']) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  async function adopt(phrase: string) {
    setBusy(true);
    setError(null);
    try {
      await onAdopt(await (await loadChain()).identityFromPhrase(phrase));
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  }
  return { adopt, busy, error };
}

export function NewPhrase({ onAdopt, onBack }: PhraseProps) {
  const [phrase, setPhrase] = useState<string | null>(null);
  useEffect(() => {
    void import('@/lib/identity/phrase').then(({ newPhrase }) => setPhrase((before) => before ?? newPhrase()));
  }, []);
  const [written, setWritten] = useState(false);
  const { adopt, busy, error } = useAdoptPhrase(onAdopt);
  if (!phrase) return <Loading what="the word list" />;
  return (
    <Stack>
      <Text size="sm">Write these words down, in this order, on paper. They are shown only now, and they are the only way back to this account.</Text>
      <ol className={css.words} aria-label="Recovery phrase">
        {phrase.split(' ').map((word, i) => (
          <li key={i}>{word}</li>
        ))}
      </ol>
      <Checkbox label="I have written them down" checked={written} onChange={(event) => setWritten(event.currentTarget.checked)} />
      {error !== null && <Alert color="red" variant="light" role="alert">{errorText(error)}</Alert>}
      <Group justify="space-between">
        <Button variant="default" onClick={onBack}>
          Back
        </Button>
        <Button disabled={!written} loading={busy} onClick={() => void adopt(phrase)}>
          Use this phrase
        </Button>
      </Group>
    </Stack>
  );
}

export function OldPhrase({ onAdopt, onBack }: PhraseProps) {
  const [words, setWords] = useState('');
  const { adopt, busy, error } = useAdoptPhrase(onAdopt);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void adopt(words);
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Textarea label="Your 24 words" description="The words stay in this page and are forgotten after they have signed you in for eight hours." autosize minRows={3} value={words} onChange={(event) => setWords(event.currentTarget.value)} error={error !== null && errorText(error)} autoComplete="off" spellCheck={false} />
        <Group justify="space-between">
          <Button variant="default" onClick={onBack}>
            Back
          </Button>
          <Button type="submit" loading={busy} disabled={!words.trim()}>
            Sign in
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
