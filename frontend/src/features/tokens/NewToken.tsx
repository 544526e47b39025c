// Making a token: the server makes a key, the person's key signs a delegation to it, the secret is shown once.
import { Alert, Button, Checkbox, Group, NumberInput, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Hash } from '@/components/facts';
import { useReview } from '@/components/ReviewSheet';
import { activateToken, createToken } from '@/lib/api/accounts';
import type { ActiveApiToken, NewApiToken } from '@/lib/api/types';
import { loadChain } from '@/lib/chain/load';
import { requireIdentity, useSession } from '@/lib/identity/session';
import { formatAbsolute } from '@/lib/format';
import { fromDate } from '@/lib/units';

const TARGETS = [
  { value: 'jobs', label: 'Jobs: propose, fund and cancel' },
  { value: 'ledger', label: 'Ledger: allow the budget to be drawn, and send your tokens' },
];
const HOUR_MS = 3_600_000;

/** The earliest of what is asked, what the server allows, and what the session's own delegation has left. */
export function expiryOf(hours: number, maxNs: string, sessionMs: number | null, nowMs: number): Date {
  const limits = [nowMs + hours * HOUR_MS, Number(BigInt(maxNs) / 1_000_000n), sessionMs ?? Infinity];
  return new Date(Math.min(...limits));
}

export function NewToken() {
  const [name, setName] = useState('');
  const [targets, setTargets] = useState(['jobs', 'ledger']);
  const [hours, setHours] = useState<number | string>(24);
  const [made, setMade] = useState<ActiveApiToken | null>(null);
  const review = useReview();
  const queries = useQueryClient();
  const { identity } = useSession();
  const bound = identity?.kind === 'phrase' ? identity.expires_at_ms : null;

  async function make() {
    let active: ActiveApiToken | null = null;
    const done = await review({
      title: `Make the token "${name.trim()}"`,
      button: 'Make this token',
      changes: [
        `A program that has the secret can act as you on: ${targets.join(', ')}. Nowhere else.`,
        targets.includes('ledger') ? 'On the ledger that includes spending your tokens: give the secret only to a program you trust with your balance.' : 'It cannot move your tokens.',
        `It ends after ${hours} hours at the latest.`,
      ],
      seenBy: 'You, and whoever you give the secret to. The server holds the key that the secret opens.',
      cost: 'Nothing.',
      undo: 'You can revoke it at any time: the server then deletes its key.',
      steps: [
        { name: 'Have the server make a key', run: () => createToken(name.trim(), targets) },
        {
          name: 'Sign the delegation with your key',
          run: async (_, results) => {
            const token = results[0] as NewApiToken;
            const request = token.delegation_request;
            const [chain, who] = await Promise.all([loadChain(), requireIdentity()]);
            const expires = expiryOf(Number(hours), request.max_expires_at_ns, who.kind === 'phrase' ? who.expires_at_ms : null, Date.now());
            active = await activateToken(token.id, await chain.delegateTo(who, request.public_key, request.targets, expires));
          },
        },
      ],
      onDone: () => queries.invalidateQueries({ queryKey: ['tokens'] }),
    });
    if (done && active) {
      setMade(active);
      setName('');
    }
  }

  return (
    <Stack>
      {made && (
        <Alert color="teal" variant="light" title={`The secret of "${made.name}", shown now and never again`} withCloseButton closeButtonLabel="I have kept it" onClose={() => setMade(null)} role="status">
          <Text size="sm" mb={6}>
            Copy it to where your program reads it, such as the variable COMMONWEIGHT_TOKEN.
          </Text>
          <Hash value={made.secret} label="secret" whole />
        </Alert>
      )}
      <TextInput label="Name" description="So that you know it again: the machine or program it is for" maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} maw={420} />
      <Checkbox.Group label="It may call" value={targets} onChange={setTargets} error={targets.length === 0 && 'At least one.'}>
        <Stack gap={6} mt={4}>
          {TARGETS.map((target) => (
            <Checkbox key={target.value} value={target.value} label={target.label} />
          ))}
        </Stack>
      </Checkbox.Group>
      <NumberInput label="For so many hours" min={1} max={720} allowDecimal={false} value={hours} onChange={setHours} maw={200} />
      {bound !== null && (
        <Text size="sm" c="dimmed">
          A token made in this session ends with it, {formatAbsolute(fromDate(new Date(bound)))}: your phrase itself is not in this browser. For a longer one, use a passkey or a key on this device.
        </Text>
      )}
      <Group>
        <Button disabled={!name.trim() || targets.length === 0 || hours === ''} onClick={() => void make()}>
          Review and sign
        </Button>
      </Group>
    </Stack>
  );
}
