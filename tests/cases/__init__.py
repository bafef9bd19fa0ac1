"""Cases kept beside the project (`../shared/cases`): inputs with their right answers, and the rules that judge ours."""
