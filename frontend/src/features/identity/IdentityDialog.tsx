// Choosing a key. Whatever is chosen, the key stays with the person: the page signs in the browser, the server never holds it.
import { Alert, Button, Modal, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Person } from '@/components/Thread';
import { errorText } from '@/components/states';
import { loadChain } from '@/lib/chain/load';
import { isExpired, keptIdentities, type IdentityRecord } from '@/lib/identity/record';
import { adoptIdentity } from '@/lib/identity/session';
import css from './identity.module.css';
import { NewPhrase, OldPhrase } from './Phrases';

export interface IdentityDialogProps {
  opened: boolean;
  onClose: () => void;
  onDone: () => void;
}

type View = 'choose' | 'new-phrase' | 'old-phrase';

export function IdentityDialog({ opened, onClose, onDone }: IdentityDialogProps) {
  const [view, setView] = useState<View>('choose');
  const queries = useQueryClient();
  const adopt = async (record: IdentityRecord) => {
    await adoptIdentity(record);
    setView('choose');
    onDone();
    await queries.invalidateQueries();
  };
  const close = () => {
    setView('choose');
    onClose();
  };
  const titles: Record<View, string> = { choose: 'Sign in with your own key', 'new-phrase': 'Your new recovery phrase', 'old-phrase': 'Use a recovery phrase' };
  return (
    <Modal opened={opened} onClose={close} title={titles[view]} size="md" closeButtonProps={{ 'aria-label': 'Close' }}>
      {opened && view === 'choose' && <Choices onAdopt={adopt} onView={setView} />}
      {view === 'new-phrase' && <NewPhrase onAdopt={adopt} onBack={() => setView('choose')} />}
      {view === 'old-phrase' && <OldPhrase onAdopt={adopt} onBack={() => setView('choose')} />}
    </Modal>
  );
}

interface ChoicesProps {
  onAdopt: (record: IdentityRecord) => Promise<void>;
  onView: (view: View) => void;
}

function Choices({ onAdopt, onView }: ChoicesProps) {
  // The agent is loaded now: a passkey must be asked for straight from the click, without waiting for a chunk.
  const chain = useQuery({ queryKey: ['chain-module'], queryFn: loadChain, staleTime: Infinity, structuralSharing: false });
  const kept = useQuery({ queryKey: ['kept-identities'], queryFn: keptIdentities, structuralSharing: false, gcTime: 0 });
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  async function take(make: () => Promise<IdentityRecord>) {
    setBusy(true);
    setError(null);
    try {
      await onAdopt(await make());
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  }

  const ready = chain.data;
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        A key is all you need: no name, no address. Whoever holds it acts as you, so nobody here can reset it.
      </Text>
      {error !== null && (
        <Alert color="red" variant="light" role="alert" title="That did not work">
          {passkeyWords(error)}
        </Alert>
      )}
      {chain.error && <Alert color="red" variant="light" role="alert" title="The part of the page that signs could not be loaded">Check your connection and open this again.</Alert>}
      {kept.data?.map((record) => (
        <KeptChoice key={record.principal} record={record} disabled={busy || !ready} onUse={(make) => void take(make)} onPhrase={() => onView('old-phrase')} unlock={(old) => (ready ? ready.unlockPasskey(old) : Promise.reject(new Error('not ready')))} />
      ))}
      <button type="button" className={css.choice} disabled={busy || !ready} onClick={() => ready && void take(() => ready.createDeviceIdentity())}>
        Create a key on this device
        <small>Kept in this browser, where no script can copy it. Clearing the browser&apos;s data loses it: good for trying things out.</small>
      </button>
      <button type="button" className={css.choice} disabled={busy || !ready} onClick={() => ready && void take(() => ready.createPasskey(`Commonweight, ${new Date().toLocaleDateString('en-GB')}`))}>
        Create a passkey
        <small>Your fingerprint, face or PIN signs. This browser remembers which passkey is yours; it works for eight hours a tap.</small>
      </button>
      <button type="button" className={css.choice} disabled={busy} onClick={() => onView('new-phrase')}>
        Create a recovery phrase
        <small>24 words to write down. They open the same account on any machine.</small>
      </button>
      <Button variant="subtle" onClick={() => onView('old-phrase')}>
        I have a recovery phrase
      </Button>
    </Stack>
  );
}

interface KeptChoiceProps {
  record: IdentityRecord;
  disabled: boolean;
  onUse: (make: () => Promise<IdentityRecord>) => void;
  onPhrase: () => void;
  unlock: (record: IdentityRecord) => Promise<IdentityRecord>;
}

function KeptChoice({ record, disabled, onUse, onPhrase, unlock }: KeptChoiceProps) {
  const expired = isExpired(record);
  const use = () => {
    if (expired && record.kind === 'phrase') return onPhrase();
    return onUse(expired ? () => unlock(record) : () => Promise.resolve(record));
  };
  const how = { device: 'Key on this device', passkey: expired ? 'Passkey: one tap unlocks it' : 'Passkey', phrase: expired ? 'Recovery phrase: type the words again' : 'Recovery phrase' };
  return (
    <button type="button" className={css.choice} disabled={disabled} onClick={use}>
      <span>
        Continue as <Person principal={record.principal} plain />
      </span>
      <small>{how[record.kind]}</small>
    </button>
  );
}

function passkeyWords(error: unknown): string {
  if (error instanceof DOMException) {
    if (error.name === 'NotAllowedError') return 'The passkey was not given: it was cancelled, or took too long. Nothing was changed.';
    if (error.name === 'SecurityError') return 'Passkeys work only under the name the site is registered for. Open the page as http://localhost, or by its https address.';
    return `The browser could not do this: ${error.message}`;
  }
  return errorText(error);
}
