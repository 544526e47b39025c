// Sending tokens to somebody else.
import { Button, Modal, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Amount } from '@/components/facts';
import { useReview } from '@/components/ReviewSheet';
import { Person } from '@/components/Thread';
import { useNetwork, useSymbol } from '@/lib/api/network';
import { indexed, signAndCall } from '@/lib/chain/load';
import type { TransferArg } from '@/lib/contracts/ledger';
import { e8s, nowNs, parseTokens } from '@/lib/units';

export function SendTokens({ balance }: { balance: bigint }) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button variant="subtle" size="compact-xs" onClick={open}>
        Send tokens
      </Button>
      <Modal opened={opened} onClose={close} title="Send tokens" closeButtonProps={{ 'aria-label': 'Close' }}>
        <SendForm balance={balance} onClose={close} />
      </Modal>
    </>
  );
}

function SendForm({ balance, onClose }: { balance: bigint; onClose: () => void }) {
  const [to, setTo] = useState('');
  const [text, setText] = useState('');
  const review = useReview();
  const queries = useQueryClient();
  const network = useNetwork();
  const symbol = useSymbol();
  const fee = BigInt(network.data?.token.fee_e8s ?? '0');
  const amount = parseTokens(text);
  const valid = /^([a-z0-9]{5}-)+[a-z0-9]{1,5}$/.test(to);
  const enough = amount === null || amount + fee <= balance;
  async function send() {
    if (amount === null) return;
    onClose();
    // The ledger knows a transfer by its creation time: sent again with the same one, it moves tokens once.
    const created = nowNs();
    await review({
      title: 'Send tokens',
      button: 'Send these tokens',
      changes: [<><Amount e8s={amount} /> move from your account to <Person principal={to} plain />, {to}.</>],
      seenBy: 'Everybody: the ledger is public.',
      cost: <><Amount e8s={e8s(amount + fee)} /> with the ledger&apos;s fee.</>,
      undo: 'It cannot be taken back.',
      steps: [
        {
          name: 'Send on the chain',
          signed: true,
          run: async ({ stage }) => {
            const { value } = await signAndCall<bigint>(
              queries,
              (chain) => {
                const arg: TransferArg = { from_subaccount: [], to: chain.accountOf(chain.Principal.fromText(to)), amount, fee: [fee], memo: [], created_at_time: [created] };
                return { canister: 'ledger', contract: chain.ledger, method: 'icrc1_transfer', args: [arg] };
              },
              stage,
            );
            await indexed(queries, 'ledger', value);
          },
        },
      ],
    });
  }
  return (
    <Stack>
      <TextInput label="To" description="A principal" value={to} onChange={(event) => setTo(event.currentTarget.value.trim())} error={to !== '' && !valid && 'Not a principal.'} />
      <TextInput label="Amount" description={`In ${symbol}`} inputMode="decimal" value={text} onChange={(event) => setText(event.currentTarget.value)} error={(text !== '' && amount === null && 'An amount of tokens with at most 8 decimals.') || (!enough && 'More than your balance, with the fee.')} />
      <Button disabled={!valid || amount === null || amount === 0n || !enough} onClick={() => void send()}>
        Review and sign
      </Button>
    </Stack>
  );
}
