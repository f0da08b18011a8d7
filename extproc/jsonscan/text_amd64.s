// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func wideText(p []byte, escapes *[256]bool) int
TEXT ·wideText(SB), NOSPLIT, $0-40
	MOVQ p_base+0(FP), SI
	MOVQ p_len+8(FP), CX
	MOVQ escapes+24(FP), DI
	XORQ AX, AX                // where we are
	SUBQ $32, CX               // where the last block can begin

	MOVL         $0x22, DX
	VMOVD        DX, X5
	VPBROADCASTB X5, Y5        // quotes
	MOVL         $0x5c, DX
	VMOVD        DX, X6
	VPBROADCASTB X6, Y6        // backslashes
	MOVL         $0x1f, DX
	VMOVD        DX, X7
	VPBROADCASTB X7, Y7        // the last control character

block:
	CMPQ      AX, CX
	JGT       done
	VMOVDQU   (SI)(AX*1), Y0
	VPCMPEQB  Y0, Y5, Y1
	VPCMPEQB  Y0, Y6, Y2
	VPMINUB   Y0, Y7, Y3       // a control character is the smaller one
	VPCMPEQB  Y0, Y3, Y3
	VPOR      Y1, Y2, Y1
	VPOR      Y1, Y3, Y1
	VPMOVMSKB Y1, DX           // a bit for each byte that is one of them
	TESTL     DX, DX
	JNZ       found
	ADDQ      $32, AX
	JMP       block

found:
	BSFL DX, DX
	ADDQ DX, AX
	CMPB (SI)(AX*1), $0x5c
	JNE  done
	LEAQ 31(CX), R8            // the last byte: has the backslash one behind it?
	CMPQ AX, R8
	JGE  done
	MOVBLZX 1(SI)(AX*1), DX
	CMPB (DI)(DX*1), $0
	JEQ  done
	ADDQ $2, AX
	JMP  block

done:
	VZEROUPPER
	MOVQ AX, ret+32(FP)
	RET
